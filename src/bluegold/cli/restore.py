"""`bluegold restore`: a workspace from a backup, verified before it is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bluegold.cli.identity import permitted
from bluegold.cli.terminal import JsonOption, WorkspaceOption, emit, workspace_path

__all__ = ["restore"]


def restore(
    file: Annotated[Path, typer.Argument(help="A file of 'bluegold backup'.")],
    *,
    key: Annotated[str, typer.Option("--key", help="The public key that must have signed it.")] = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new workspace from a backup; a cut, changed or forged file leaves nothing behind.

    Where the backup has users, the key of one of them who may restore is needed.
    """
    from bluegold.export.backup import restore as run

    target = workspace_path(workspace)
    kept = run(file, target, key, lambda space: permitted(space, "restore"))
    text = (
        f"{target}: {kept.files} files, {kept.audit_rows} audit rows, {kept.decisions} decision log entries; all verify"
    )
    emit(kept, as_json=as_json, text=text)
