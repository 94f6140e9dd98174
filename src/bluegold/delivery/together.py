"""Coordinated release: versions of several models that depend on each other become production together, or none does.

Each goes its own way first: six gates, rehearsal, rollout.  Then one transaction makes all of them production.  A
controller that is killed before that transaction leaves releases that go to safety when they are resumed; one that
is killed after it leaves releases that only have to be finished.  A wrong answer of any of them takes all of them
back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from bluegold.core.errors import AccessDenied, BluegoldError, DeliveryError
from bluegold.core.workspace import Workspace
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.events import OnEvent
from bluegold.delivery.journal import Journal
from bluegold.delivery.promotion import finish, proof_of
from bluegold.delivery.release import check
from bluegold.delivery.safety import complete_rollback, decide_rollback
from bluegold.delivery.steering import Steering, alone
from bluegold.registry.registry import Registry
from bluegold.registry.tables import Release
from bluegold.security.access import is_automatic

__all__ = ["promote_together"]


class _Member:
    """One of the versions that go together."""

    def __init__(
        self, ref: str, registry: Registry, workspace: Workspace, actor: str, on_event: OnEvent | None
    ) -> None:
        self.candidate = Candidate.open(registry, workspace, ref)
        model = self.candidate.version.model
        release = registry.releases.active(model)
        if release is None or release.ref != self.candidate.ref:
            raise DeliveryError(
                f"no release of {self.candidate.ref} is open",
                way_out=f"run 'bluegold deliver {self.candidate.ref}'",
                subject=self.candidate.ref,
            )
        self.journal = Journal(registry, release, actor, on_event)
        if not self.journal.blue:
            raise DeliveryError(
                f"{self.candidate.ref} is the first version of its model and goes alone",
                why="there is nothing it could go back to together with the others",
                way_out=f"run 'bluegold promote {self.candidate.ref}'",
                subject=self.candidate.ref,
            )
        self.steering = Steering(registry, workspace, model, actor)


def promote_together(
    refs: Sequence[str],
    registry: Registry,
    workspace: Workspace,
    *,
    actor: str = "",
    reason: str = "",
    on_event: OnEvent | None = None,
) -> tuple[Release, ...]:
    """A person promotes several versions whose releases wait, in one transaction.

    Args:
        refs: versions of different models.
        registry: where they are.
        workspace: the registry's workspace.
        actor: the person.
        reason: why now.
        on_event: told of every step.

    Returns:
        their releases: all ``promoted``, or all ``rolled_back`` when the proof on the server failed.

    Raises:
        DeliveryError: one has no open release, or a controller is at work on it.
        ForbiddenTransition: the phase, a gate or a missing approval of one does not allow it; nothing was changed.
        AccessDenied: the actor is no person, or may not promote one of them.
    """
    actor = actor or registry.actor
    if is_automatic(actor):
        raise AccessDenied(f"'{actor}' cannot promote by hand", why="only a person can", subject=", ".join(refs))
    registry.access.require(actor, "promote")
    with contextlib.ExitStack() as stack:
        for model in sorted({registry.versions.get(ref).model for ref in refs}):
            stack.enter_context(alone(registry, workspace, model))
        members = [_Member(ref, registry, workspace, actor, on_event) for ref in refs]
        for member in members:
            check(member.journal.phase, "promoting", member.journal.facts())
        together = [member.journal.ref for member in members]
        for member in members:
            text = f"'{actor}' promotes {', '.join(together)} together"
            member.journal.advance("promoting", text, level="loud", reason=reason or text, together=together)
        _carry_out(members, registry, actor, reason)
        return tuple(member.journal.release for member in members)


def _carry_out(members: list[_Member], registry: Registry, actor: str, reason: str) -> None:
    try:
        for member in members:
            if registry.versions.get(member.journal.ref).stage == "Staging":
                registry.lifecycle.transition(member.journal.ref, "Canary", actor, "six gates passed")
        registry.promote_together(
            [member.journal.ref for member in members], actor, reason, [m.journal.release.id for m in members]
        )
        proofs = [proof_of(member.candidate, member.steering) for member in members]
        wrong = "; ".join(f"{m.journal.ref}: {one}" for m, (one, _) in zip(members, proofs, strict=True) if one)
    except BluegoldError as error:
        wrong, proofs = str(error), []
    if not wrong:
        for member, (_, took) in zip(members, proofs, strict=True):
            finish(member.journal, "", took)
        return
    for member in members:
        decide_rollback(member.journal, f"promoted together or not at all: {wrong}", actor=actor)
        complete_rollback(member.journal, member.steering)
