"""`bluegold audit`: verify that nothing was tampered with, or read the audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bluegold.cli.terminal import JsonOption, WorkspaceOption, emit, workspace_path

if TYPE_CHECKING:
    from bluegold.registry import Registry
    from bluegold.registry.verification import ChainReport

__all__ = ["audit"]

audit = typer.Typer(no_args_is_help=True, help="Verify that nothing was tampered with, or read the audit trail.")


@audit.command("verify")
def audit_verify(*, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Check the audit chain, every registered artefact and every decision; name the first thing that was changed."""
    from bluegold.core.workspace import Workspace
    from bluegold.production.results.decision_reader import DecisionReader
    from bluegold.registry import Registry
    from bluegold.registry.verification import ChainReport

    space = Workspace.open(workspace_path(workspace))
    with Registry.open(space) as registry:
        chain = registry.audit.verify()
        artefacts = _artefacts(registry)
    log = DecisionReader(space.decisions).verify()
    decisions = ChainReport(ok=log.ok, checked=log.checked, first_bad=log.first_bad)
    parts = {"registry": chain, "artefacts": artefacts, "decisions": decisions}
    sound = all(part.ok for part in parts.values())
    units = {"registry": "audit rows", "artefacts": "artefacts", "decisions": "decision log entries"}
    lines = [_told(part, units[name]) for name, part in parts.items()]
    lines.append(
        "everything verifies" if sound else "TAMPERING FOUND: restore from a backup and find out who had access"
    )
    emit({"ok": sound, **parts}, as_json=as_json, text="\n".join(lines))
    if not sound:
        raise typer.Exit(1)


@audit.command("log")
def audit_log(
    *,
    since: Annotated[int, typer.Option("--since", min=0, help="Only events with a higher number.")] = 0,
    subject: Annotated[str, typer.Option("--subject", help="Only events about this subject.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most this many.")] = 50,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who did what to which subject, when, and how it ended."""
    from bluegold.core.workspace import Workspace
    from bluegold.registry import Registry

    with Registry.open(Workspace.open(workspace_path(workspace))) as registry:
        events = registry.audit.events(since, limit, subject=subject)
    lines = [
        f"{e.number:>6}  {e.at:%Y-%m-%d %H:%M:%S}  {e.who:<16} {e.action:<22} {e.subject:<28} {e.outcome[:40]}"
        for e in events
    ]
    if len(events) == limit:
        lines.append(f"more may follow: --since {events[-1].number}")
    emit({"events": events}, as_json=as_json, text="\n".join(lines) or "no events")


def _artefacts(registry: Registry) -> ChainReport:
    """Hold every artefact of every version against its signature and digest."""
    from bluegold.core.errors import IntegrityError
    from bluegold.registry.verification import ChainReport

    checked = 0
    for version in reversed(registry.versions.list(limit=1_000_000)):
        try:
            checked += len(registry.versions.artefacts(version.ref))
        except IntegrityError as error:
            return ChainReport(ok=False, checked=checked, first_bad=error.subject or version.ref, why=str(error))
    return ChainReport(ok=True, checked=checked)


def _told(part: ChainReport, unit: str) -> str:
    if part.ok:
        return f"ok   {part.checked} {unit}"
    return f"BAD  {part.first_bad}{': ' + part.why if part.why else ''} (after {part.checked} good {unit})"
