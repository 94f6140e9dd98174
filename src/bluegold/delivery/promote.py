"""Promotion by hand: a person decides on the evidence that is there, and signs for it with a name."""

from __future__ import annotations

from bluegold.core.errors import AccessDenied, DeliveryError
from bluegold.core.workspace import Workspace
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.events import OnEvent
from bluegold.delivery.journal import Journal
from bluegold.delivery.promotion import carry_out_promotion
from bluegold.delivery.safety import complete_rollback
from bluegold.delivery.steering import Steering, alone
from bluegold.registry.registry import Registry
from bluegold.registry.tables import Release
from bluegold.security.access import is_automatic

__all__ = ["promote"]


def promote(
    ref: str,
    registry: Registry,
    workspace: Workspace,
    *,
    actor: str = "",
    reason: str = "",
    on_event: OnEvent | None = None,
) -> Release:
    """Promote a version whose release waits for a person, or was promoted half-way.

    Six gates, a rehearsal and the plan's approvals are needed as ever; what a person may cut short is the waiting.

    Args:
        ref: the version; empty for the one whose release is open.
        registry: where it is.
        workspace: the registry's workspace.
        actor: the person.
        reason: why now.
        on_event: told of every step.

    Raises:
        DeliveryError: no release is open, or a controller is at work on it.
        ForbiddenTransition: its phase, a gate or a missing approval does not allow it.
        AccessDenied: the actor is no person or may not promote.
    """
    actor = actor or registry.actor
    if is_automatic(actor):
        raise AccessDenied(f"'{actor}' cannot promote by hand", why="only a person can", subject=ref)
    registry.access.require(actor, "promote")
    candidate = Candidate.open(registry, workspace, ref)
    with alone(registry, workspace, candidate.version.model, candidate.plan.rollout.lease_s):
        release = registry.releases.active(candidate.version.model)
        if release is None or release.ref != candidate.ref:
            raise DeliveryError(
                f"no release of {candidate.ref} is open",
                way_out=f"run 'bluegold deliver {candidate.ref}'",
                subject=candidate.ref,
            )
        journal = Journal(registry, release, actor, on_event)
        steering = Steering(registry, workspace, candidate.version.model, actor)
        if journal.phase != "promoting":
            text = f"'{actor}' promotes {journal.ref} from phase '{journal.phase}'"
            journal.advance("promoting", text, level="loud", reason=reason or f"by hand, from {journal.phase}")
        carry_out_promotion(candidate, journal, steering)
        if journal.phase == "rolling_back":
            complete_rollback(journal, steering)
        return journal.release
