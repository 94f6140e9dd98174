"""`bluegold promote`: a person promotes the version whose release waits for a decision."""

from __future__ import annotations

from typing import Annotated

import typer

from bluegold.cli.deliver import announce, ended, told
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, actor_name, emit, workspace_path

__all__ = ["promote"]


def promote(
    version: Annotated[str, typer.Argument(help="The version to promote; its release must be open.")],
    *,
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why now; it goes into the history.")] = "",
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Promote by hand what passed six gates and a rehearsal, without waiting for more evidence."""
    from bluegold.core.workspace import Workspace
    from bluegold.delivery.promote import promote as run
    from bluegold.registry import Registry

    space = Workspace.open(workspace_path(workspace))
    who = actor_name(actor)
    with Registry.open(space, actor=who) as registry:
        release = run(version, registry, space, actor=who, reason=reason, on_event=announce)
    emit(release, as_json=as_json, text=lambda: told(release))
    ended(release)
