"""`bluegold keys`: the keys that personal values are sealed under: list, replace, destroy."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit, workspace_path

__all__ = ["keys"]

keys = typer.Typer(no_args_is_help=True, help="Keys that personal values are sealed under: list, replace, destroy.")


@keys.command("list")
def keys_list(*, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show every sealing key and since when it was used; the last one seals now."""
    from bluegold.core.workspace import Workspace
    from bluegold.security.sealing import KeyRing

    found = [{"id": one, "since": _since(one)} for one in KeyRing(Workspace.open(workspace_path(workspace)).keys).ids]
    lines = [f"{one['id']}  since {one['since']}" for one in found]
    emit({"keys": found}, as_json=as_json, text="\n".join(lines) or "no key yet: nothing personal was ever sealed here")


@keys.command("rotate")
def keys_rotate(*, workspace: WorkspaceOption = None, actor: ActorOption = None, as_json: JsonOption = False) -> None:
    """Seal under a new key from now on; older values stay readable under theirs."""
    from bluegold.security.sealing import KeyRing

    with governed(workspace, actor, may=("configure",)) as (registry, space, _):
        made = KeyRing(space.keys).rotate()
        registry.audit.append(registry.actor, "rotate sealing key", made, "made")
    emit({"id": made}, as_json=as_json, text=made)


@keys.command("destroy")
def keys_destroy(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="What was sealed under it is erased for ever.")],
    *,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Destroy a key: every value sealed under it is erased, the records and their chain stay as they are."""
    from bluegold.security.sealing import KeyRing

    with governed(workspace, actor, may=("configure",)) as (registry, space, _):
        KeyRing(space.keys).destroy(identifier)
        registry.audit.append(registry.actor, "destroy sealing key", identifier, "destroyed")
    emit({"id": identifier}, as_json=as_json, text=f"destroyed; destroy {identifier} in backups of the keys folder too")


def _since(identifier: str) -> str:
    moment = dt.datetime.fromtimestamp(int(identifier.partition("-")[0], 16) / 1e6, dt.timezone.utc)
    return f"{moment:%Y-%m-%d %H:%M}"
