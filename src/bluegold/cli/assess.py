"""`bluegold assess`: an existing code base held against the six sections."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluegold.cli.terminal import JsonOption, emit
from bluegold.core.errors import DataError

if TYPE_CHECKING:
    from bluegold.design.assessment import Assessment

__all__ = ["assess"]


def assess(
    path: Annotated[Path, typer.Argument(help="Folder of the code base; nothing in it is run.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Score a code base against S1-S6: what it has, what is missing, and where that shows."""
    from bluegold.design.assessment import assess as hold
    from bluegold.design.scan import scan

    found = hold(path, scan(path))
    if not found.learns:
        raise DataError(
            f"'{path}' shows no machine learning, so there is nothing to hold against S1-S6",
            why="no library of it is in use, and no code trains, scores or registers a model",
            way_out="give the folder of an AI system; 'bluegold design NAME' designs one that is yet to be built",
        )
    emit(found, as_json=as_json, text=_table(found))


def _table(found: Assessment) -> str:
    lines: list[str] = []
    for section, (points, total) in found.sections.items():
        lines.append(f"{section}  {points:g} of {total}")
        for row in found.rows:
            if row.section != section:
                continue
            shown = ", ".join(row.evidence[:2]) + (
                f" and {len(row.evidence) - 2} more" if len(row.evidence) > 2 else ""
            )
            said = row.missing if row.status == "missing" and not row.evidence else shown
            also = f" ({row.missing})" if row.missing and row.evidence else ""
            lines.append(f"    {row.status:<8} {row.capability:<44} {said}{also}")
    share = found.points / found.total if found.total else 0.0
    lines.append(f"total  {found.points:g} of {found.total} ({share:.0%})")
    return "\n".join(lines)
