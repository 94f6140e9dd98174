"""`bluegold history`: every change of stage, and who was in production at any moment."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

from bluegold.cli.terminal import JsonOption, WorkspaceOption, emit, workspace_path
from bluegold.core.errors import UsageError

if TYPE_CHECKING:
    from bluegold.core.nouns import StageChange

__all__ = ["history", "moment"]


def history(
    model: Annotated[str, typer.Argument(help="Only this model.")] = "",
    *,
    at: Annotated[str, typer.Option("--at", help="As it was at this time (ISO 8601; UTC unless it says so).")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most this many newest changes.")] = 30,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who is or was in production, set by whom, on what evidence, and the changes that led there."""
    from bluegold.core.workspace import Workspace
    from bluegold.registry import Registry

    when = moment(at) if at else None
    with Registry.open(Workspace.open(workspace_path(workspace))) as registry:
        changes = registry.lifecycle.history(model or None, at=when)
        if model and not changes and not registry.versions.list(model, limit=1):
            known = sorted({version.model for version in registry.versions.list()})
            raise UsageError(
                f"there is no model '{model}'", way_out=f"name one of: {', '.join(known[:10]) or 'none exists yet'}"
            )
        models = sorted({change.ref.rpartition(":")[0] for change in changes})
        production = {name: registry.lifecycle.production(name, at=when) for name in models}
    result = {"at": when, "production": production, "changes": changes[-limit:], "total": len(changes)}
    emit(result, as_json=as_json, text=lambda: _told(production, changes, limit))


def moment(text: str) -> dt.datetime:
    """A time as people write it; without a zone it is UTC.

    Raises:
        UsageError: it is no time.

    Example:
        >>> moment("2026-01-31 12:00").isoformat()
        '2026-01-31T12:00:00+00:00'
    """
    try:
        when = dt.datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"'{text}' is no time", way_out="write it like 2026-01-31T12:00:00") from error
    return when if when.tzinfo else when.replace(tzinfo=dt.timezone.utc)


def _told(production: dict[str, StageChange | None], changes: tuple[StageChange, ...], limit: int) -> str:
    lines = []
    for model, change in production.items():
        if change is None:
            lines.append(f"{model}: nothing in production")
            continue
        lines.append(f"{model}: {change.ref} in production since {_time(change.at)}, set by {change.actor}")
        lines += [f"  because: {change.reason}"] if change.reason else []
        lines += [f"  evidence: {item}" for item in change.evidence[:10]]
    lines.append("")
    if len(changes) > limit:
        lines.append(f"the newest {limit} of {len(changes)} changes:")
    for change in changes[-limit:]:
        step = f"{change.from_stage or '-'} -> {change.to_stage}"
        lines.append(f"{_time(change.at)}  {change.ref:<24} {step:<26} {change.actor:<16} {change.reason}")
    return "\n".join(lines) if changes else "nothing has happened yet"


def _time(at: dt.datetime) -> str:
    return at.astimezone(dt.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
