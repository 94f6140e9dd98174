"""`bluegold approve`: a person's consent to a version, or refusal of it, bound to its digest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bluegold.cli.identity import governed
from bluegold.cli.review import attached
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit

__all__ = ["approve"]


def approve(
    version: Annotated[str, typer.Argument(help="The version to approve.")],
    *,
    comment: Annotated[str, typer.Option("--comment", "-m", help="What was looked at, and why it is good.")] = "",
    reject: Annotated[bool, typer.Option("--reject", help="Say no instead: it cannot be promoted then.")] = False,
    evidence: Annotated[
        list[Path] | None, typer.Option("--evidence", "-e", help="A file that shows it; it is kept with the consent.")
    ] = None,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve a version, or say no to it; its author cannot approve."""
    with governed(workspace, actor) as (registry, _, who):
        files = attached(registry, evidence or [])
        if reject:
            said = registry.reviews.add(version, comment, "reject", actor=who, evidence=files)
            emit(said, as_json=as_json, text=f"{said.ref} refused by {said.actor}: {said.comment}")
            return
        approval = registry.approvals.approve(version, actor=who, comment=comment, evidence=files)
        standing = registry.approvals.standing(approval.ref)
    next_step = standing.missing or f"next: bluegold deliver {approval.ref}"
    emit(
        approval,
        as_json=as_json,
        text=f"{approval.ref} approved by {approval.actor} ({len(standing.counting)} of {standing.needed} needed)\n"
        f"{next_step}",
    )
