"""`bluegold assess`: an existing code base held against the six sections."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bluegold.cli.terminal import JsonOption, emit

__all__ = ["assess"]


def assess(
    path: Annotated[Path, typer.Argument(help="Folder of the code base; nothing in it is run.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Say for each part of S1-S6 what a code base has, what is missing, and where it shows."""
    from bluegold.design.assessment import assess as hold
    from bluegold.design.scan import scan

    rows = hold(scan(path))
    present = sum(row.status == "present" for row in rows)
    lines = [
        f"{row.section} {row.status:<8} {row.expectation:<52} {', '.join(row.evidence[:3]) or '-'}" for row in rows
    ]
    lines.append(f"{present} of {len(rows)} present")
    emit({"rows": rows, "present": present, "total": len(rows)}, as_json=as_json, text="\n".join(lines))
