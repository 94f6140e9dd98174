"""`bluegold rollback`: one command back to the safe configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bluegold.cli.deliver import announce, told
from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit

if TYPE_CHECKING:
    from bluegold.delivery.rollback import RollBack
    from bluegold.registry import Registry

__all__ = ["rollback"]


def rollback(
    *,
    to: Annotated[
        str, typer.Option("--to", help="An archived version to go back to (default: the last good one).")
    ] = "",
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why; it goes into the history.")] = "",
    release: Annotated[
        bool, typer.Option("--release", help="Only end the open release, whatever its phase; production stays.")
    ] = False,
    model: Annotated[str, typer.Option("--model", help="The model, when the workspace holds several.")] = "",
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take Gold out of the traffic, or production back to the version before."""
    from bluegold.delivery.rollback import rollback as run
    from bluegold.delivery.withdraw import withdraw

    with governed(workspace, actor) as (registry, space, who):
        name = _model(registry, model, to)
        if release:
            ended = withdraw(name, registry, space, actor=who, reason=reason, on_event=announce)
            emit(ended, as_json=as_json, text=lambda: told(ended))
            return
        done = run(name, registry, space, to=to, actor=who, reason=reason, on_event=announce)
    emit(done, as_json=as_json, text=lambda: _told(done))


def _model(registry: Registry, model: str, to: str) -> str:
    """The model that is meant: named, or named by ``to``, or the only one in production."""
    from bluegold.production.selection import model_of

    named = model or to.rpartition(":")[0]
    if not named:
        live = {version.model for version in registry.versions.list(stage="Production", limit=1000)}
        named = live.pop() if len(live) == 1 else ""
    return model_of(registry, named)


def _told(done: RollBack) -> str:
    taken = f"{done.taken_back} taken back; " if done.taken_back else ""
    return f"{taken}{done.production} is in production after {done.seconds:.2f} s ({done.proof})\nreason: {done.reason}"
