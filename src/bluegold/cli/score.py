"""`bluegold score`: score a Parquet or CSV file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluegold.cli.identity import governed
from bluegold.cli.terminal import JsonOption, WorkspaceOption, emit, say

if TYPE_CHECKING:
    from bluegold.production.batch import Scored

__all__ = ["score"]


def score(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Parquet or CSV file (also .csv.gz).")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Parquet or CSV file to write.")],
    version: Annotated[str, typer.Option("--version", help="Version to score with; the one in production.")] = "",
    model: Annotated[str, typer.Option("--model", help="Model, when the workspace holds several.")] = "",
    rows: Annotated[
        str, typer.Option("--rows", help="'events' (the past of later rows) or 'questions'; as the plan says.")
    ] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a file of any size with the version in production; a killed run goes on where it was.

    Refused rows go to a quarantine file with their reasons.
    """
    from bluegold.core.errors import UsageError
    from bluegold.production.batch import planned
    from bluegold.production.batch import score as run
    from bluegold.production.selection import in_production

    if rows not in {"", "events", "questions"}:
        raise UsageError(f"--rows '{rows}' is not known", way_out="choose 'events' or 'questions'")
    with governed(workspace, may=("predict",)) as (registry, space, who):
        ref = version or in_production(registry, model)
        options = planned(registry, ref, rows)
        done = run(registry, space, ref, source, out, options, None if as_json else _Progress())
        told = {"input": source.name, "output": out.name, "refused": done.quarantined}
        registry.audit.append(who, "score", done.version, f"{done.scored} rows", told)
    emit(done, as_json=as_json, text=lambda: _told(done))


class _Progress:
    """A line every two seconds: how far, how fast, how long still."""

    EVERY_S = 2.0

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()
        self._from: tuple[int, float] | None = None

    def __call__(self, rows: int, share: float) -> None:
        now = time.monotonic()
        before = self._from = self._from or (rows, share)
        if now - self._told < self.EVERY_S:
            return
        self._told = now
        took = now - self._began
        left = (1.0 - share) / (share - before[1]) * took if share > before[1] else 0.0
        say(f"{rows:,} rows, {share:.0%}, {(rows - before[0]) / took:,.0f} rows/s, about {left:,.0f} s left")


def _told(done: Scored) -> str:
    lines = [
        f"{done.scored:,} of {done.rows:,} rows scored by {done.version} in {done.seconds:.1f} s -> {done.output}",
    ]
    if done.positive is not None:
        lines.append(f"  positive   {done.positive:,}")
    if done.resumed:
        lines.append(f"  resumed    behind {done.resumed:,} rows of an earlier run")
    if done.quarantined:
        why = ", ".join(f"{name} {count:,}" for name, count in sorted(done.reasons.items())[:10])
        lines.append(f"  refused    {done.quarantined:,} ({why}) -> {done.quarantine}")
    if done.flags:
        lines.append(
            "  flagged    " + ", ".join(f"{name} {count:,}" for name, count in sorted(done.flags.items())[:10])
        )
    return "\n".join(lines)
