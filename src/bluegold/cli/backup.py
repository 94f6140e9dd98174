"""`bluegold backup`: the whole workspace in one verified file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit

__all__ = ["backup"]


def backup(
    file: Annotated[Path, typer.Argument(help="Where to; it holds the keys, so keep it as secret as them.")],
    *,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write registry, artefacts, decisions, keys and evidence to one file, while they are in use, and verify it."""
    from bluegold.export.backup import backup as run
    from bluegold.production.results.anchors import anchor

    with governed(workspace, actor, may=("archive",)) as (registry, space, who):
        anchor(registry, space.decisions)
        registry.audit.append(who, "backup", file.name, "begun")
        public = registry.audit.signer.verifier.encoded
    kept = run(space, file)
    text = (
        f"{file}: {kept.files} files, {kept.bytes / 1e6:.1f} MB, {kept.audit_rows} audit rows and {kept.decisions} "
        f"decision log entries, restored once and verified\nkey  {public}"
    )
    emit({"kept": kept, "key": public}, as_json=as_json, text=text)
