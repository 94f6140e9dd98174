"""`bluegold promote`: a person promotes the version whose release waits for a decision."""

from __future__ import annotations

from typing import Annotated

import typer

from bluegold.cli.deliver import announce, ended, told
from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit

__all__ = ["promote"]


def promote(
    version: Annotated[str, typer.Argument(help="The version to promote; its release must be open.")],
    *,
    past: Annotated[
        str, typer.Option("--past", help="Only let the release past an approval point: canary, shift or promotion.")
    ] = "",
    together: Annotated[
        list[str] | None,
        typer.Option("--with", help="A version of another model that is promoted in the same step, all or none."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why now; it goes into the history.")] = "",
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Promote by hand what passed six gates and a rehearsal, without waiting for more evidence."""
    from bluegold.delivery.points import let_past, point_of
    from bluegold.delivery.promote import promote as run
    from bluegold.delivery.together import promote_together

    with governed(workspace, actor) as (registry, space, who):
        if past:
            waiting = let_past(registry, version, point_of(past), actor=who, reason=reason)
            emit(waiting, as_json=as_json, text=lambda: f"'{who}' let {waiting.ref} past '{past}'")
            return
        if together:
            done = promote_together((version, *together), registry, space, actor=who, reason=reason, on_event=announce)
            emit(done, as_json=as_json, text=lambda: "\n".join(told(one) for one in done))
            for one in done:
                ended(one)
            return
        release = run(version, registry, space, actor=who, reason=reason, on_event=announce)
    emit(release, as_json=as_json, text=lambda: told(release))
    ended(release)
