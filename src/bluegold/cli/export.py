"""`bluegold export`: the pipeline as a definition for another system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bluegold.cli.terminal import JsonOption, WorkspaceOption, emit, workspace_path

__all__ = ["export"]


def export(
    target: Annotated[str, typer.Argument(help="The system to export to: dagster.")],
    system: Annotated[Path, typer.Option("--system", "-s", help="Folder with pipeline.py.")] = Path(),
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write into.")] = Path("export"),
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Write the development pipeline as a definition for another system."""
    from bluegold.export.targets import export as write
    from bluegold.features.loader import load_system

    loaded = load_system(system)
    path = write(target, loaded.name, system, workspace_path(workspace), out)
    emit({"target": target, "path": str(path)}, as_json=json, text=f"written: {path}")
