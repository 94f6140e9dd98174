"""`bluegold init`: a new system's first definition."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bluegold.cli.terminal import JsonOption, emit
from bluegold.core.errors import UsageError

__all__ = ["init"]


def init(
    name: Annotated[str, typer.Argument(help="Name of the system, for example churn.")],
    data: Annotated[Path | None, typer.Option("--data", help="CSV or Parquet file to read the contract off.")] = None,
    target: Annotated[
        str, typer.Option("--target", help="With --data: the column to predict (true/false or 0/1).")
    ] = "",
    folder: Annotated[Path | None, typer.Option("--out", "-o", help="Folder to write (default: NAME).")] = None,
    json: JsonOption = False,
) -> None:
    """Start a new system: pipeline.py and architecture.yaml that run as they are."""
    from bluegold.export.skeleton import skeleton

    if target and data is None:
        raise UsageError("--target names a column but there is no --data", way_out="give --data FILE as well")
    files = skeleton(name, folder or Path(name), data=data, target=target)
    lines = [f"written: {file}" for file in files] + [f"next: bluegold develop --system {files[0].parent}"]
    emit({"files": [str(file) for file in files]}, as_json=json, text="\n".join(lines))
