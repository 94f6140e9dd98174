"""`bluegold approve`: a person's consent to a version, bound to its digest."""

from __future__ import annotations

from typing import Annotated

import typer

from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, actor_name, emit, workspace_path

__all__ = ["approve"]


def approve(
    version: Annotated[str, typer.Argument(help="The version to approve.")],
    *,
    comment: Annotated[str, typer.Option("--comment", "-m", help="What was looked at, and why it is good.")] = "",
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve a version; its author cannot."""
    from bluegold.core.workspace import Workspace
    from bluegold.registry import Registry

    space = Workspace.open(workspace_path(workspace))
    who = actor_name(actor)
    with Registry.open(space, actor=who) as registry:
        approval = registry.approvals.approve(version, actor=who, comment=comment)
        given, needed = len(registry.approvals.list(approval.ref)), registry.approvals.needed(approval.ref)
    emit(
        approval,
        as_json=as_json,
        text=f"{approval.ref} approved by {approval.actor} ({given} of {needed} needed)\n"
        f"next: bluegold deliver {approval.ref}",
    )
