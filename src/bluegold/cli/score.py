"""`bluegold score`: score a Parquet or CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluegold.cli.terminal import JsonOption, WorkspaceOption, actor_name, emit, say, workspace_path

if TYPE_CHECKING:
    from bluegold.production.batch import Scored

__all__ = ["score"]


def score(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Parquet or CSV file with the contract's columns.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Parquet or CSV file to write.")],
    version: Annotated[str, typer.Option("--version", help="Version to score with; the one in production.")] = "",
    model: Annotated[str, typer.Option("--model", help="Model, when the workspace holds several.")] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a file with the version in production; refused rows go to a quarantine file with their reasons."""
    from bluegold.core.workspace import Workspace
    from bluegold.production.batch import score as run
    from bluegold.production.selection import in_production
    from bluegold.registry.registry import Registry

    space = Workspace.open(workspace_path(workspace))
    with Registry.open(space, actor=actor_name(None)) as registry:
        ref = version or in_production(registry, model)
        done = run(registry, space, ref, source, out, on_progress=None if as_json else _progress)
    emit(done, as_json=as_json, text=lambda: _told(done))


def _progress(rows: int) -> None:
    say(f"{rows:,} rows read")


def _told(done: Scored) -> str:
    lines = [
        f"{done.scored:,} of {done.rows:,} rows scored by {done.version} in {done.seconds:.1f} s -> {done.output}",
        f"  positive   {done.positive:,}",
    ]
    if done.quarantined:
        why = ", ".join(f"{name} {count:,}" for name, count in sorted(done.reasons.items())[:10])
        lines.append(f"  refused    {done.quarantined:,} ({why}) -> {done.quarantine}")
    if done.flags:
        lines.append(
            "  flagged    " + ", ".join(f"{name} {count:,}" for name, count in sorted(done.flags.items())[:10])
        )
    return "\n".join(lines)
