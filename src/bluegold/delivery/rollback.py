"""Rollback by hand: one command to the safe configuration, whatever is going on."""

from __future__ import annotations

import time

from bluegold.core.errors import DeliveryError, RegistryError, ServingError
from bluegold.core.nouns import Noun
from bluegold.core.workspace import Workspace
from bluegold.delivery.events import OnEvent
from bluegold.delivery.journal import Journal
from bluegold.delivery.safety import complete_rollback, decide_rollback
from bluegold.delivery.siblings import others
from bluegold.delivery.steering import Steering
from bluegold.registry.registry import Registry

__all__ = ["RollBack", "rollback", "take_others_back"]

#: Phases in which Gold has, or may have, a part in the traffic.
_IN_TRAFFIC = frozenset({"rehearsal", "shadow", "canary", "shift", "promoting", "rolling_back"})
_APPLY_S = 10.0


class RollBack(Noun, frozen=True, kw_only=True):
    """What was done.  ``seconds``: from the order until ``proof`` was had; ``release``: the one that ended by it."""

    model: str
    taken_back: str
    production: str
    reason: str
    seconds: float
    proof: str
    release: str = ""


def rollback(
    model: str,
    registry: Registry,
    workspace: Workspace,
    *,
    to: str = "",
    actor: str = "",
    reason: str = "",
    on_event: OnEvent | None = None,
) -> RollBack:
    """Take Gold out of the traffic; without a Gold there, take production back to the version before it.

    A release that is being promoted together with others takes them with it.  It does not wait for a controller that
    is at work: that one finds its release ended.

    Args:
        model: the model.
        registry: where its releases are.
        workspace: the registry's workspace.
        to: a version that was in production, to go back to; without it the last good one.
        actor: who orders it.
        reason: why.
        on_event: told of every step.

    Raises:
        DeliveryError: there is nothing to take back.
        RegistryError: there is no version to go back to; nothing was changed.
        AccessDenied: the actor may not restore.
    """
    actor = actor or registry.actor
    registry.access.require(actor, "restore")
    reason = reason or "ordered by hand"
    steering = Steering(registry, workspace, model, actor)
    release = registry.releases.active(model)
    if release is not None and release.phase in _IN_TRAFFIC:
        journal = Journal(registry, release, actor, on_event)
        return _release_back(journal, steering, workspace, to, reason)
    return _production_back(registry, model, steering, to or _before(registry, model), reason)


def _release_back(journal: Journal, steering: Steering, workspace: Workspace, to: str, reason: str) -> RollBack:
    began = time.perf_counter()
    try:
        decides = journal.phase != "rolling_back"
        if decides:
            decide_rollback(journal, reason, actor=journal.actor, to=to)
        try:
            if decides:
                take_others_back(journal, workspace)
        finally:
            complete_rollback(journal, steering, to)
    except RegistryError:
        if not (journal.moved_by_others() and journal.phase == "rolled_back"):
            raise
    return RollBack(
        model=journal.model,
        taken_back=journal.ref,
        production=journal.production(),
        reason=reason,
        seconds=round(time.perf_counter() - began, 4),
        proof=str(journal.detail.get("proof", "")),
        release=journal.release.id,
    )


def take_others_back(journal: Journal, workspace: Workspace) -> None:
    """Take back what was promoted together with a release that falls; done again, it changes nothing.

    Args:
        journal: the release that falls; its decision is written already.
        workspace: the registry's workspace.
    """
    registry = journal.registry
    for ref in others(journal):
        model = ref.rpartition(":")[0]
        release = registry.releases.active(model)
        open_ = release is not None and release.ref == ref and release.phase in {"promoting", "rolling_back"}
        if open_ or registry.versions.get(ref).stage == "Production":
            reason = f"promoted together with {journal.ref} or not at all: {journal.detail.get('reason', '')}"
            rollback(model, registry, workspace, actor=journal.actor, reason=reason[:500])


def _before(registry: Registry, model: str) -> str:
    """The version to go back to.

    Raises:
        DeliveryError: there is none.
    """
    previous = registry.lifecycle.previous(model)
    if previous is None:
        raise DeliveryError(
            f"there is nothing to take back of '{model}'",
            why="no candidate is in the traffic and no earlier version was in production",
            way_out="'bluegold history' shows what was",
            subject=model,
        )
    return previous.ref


def _production_back(registry: Registry, model: str, steering: Steering, to: str, reason: str) -> RollBack:
    began = time.perf_counter()
    change = registry.lifecycle.production(model)
    taken = change.ref if change is not None else ""
    split = registry.restore(model, to=to, actor=steering.actor, reason=reason)
    proof = "no server was running"
    try:
        if steering.applied(split, _APPLY_S) is not None:
            proof = "every worker serves it"
    except ServingError as error:
        proof = str(error)
    done = RollBack(
        model=model,
        taken_back="" if taken == split.blue else taken,
        production=split.blue,
        reason=reason,
        seconds=round(time.perf_counter() - began, 4),
        proof=proof,
    )
    registry.audit.append(
        steering.actor,
        "rollback",
        taken or model,
        "rolled back",
        {"safe": split.blue, "reason": reason, "seconds": done.seconds, "proof": proof},
    )
    return done
