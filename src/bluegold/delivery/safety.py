"""The way back: loud, written before it takes effect, idempotent, and proven on every worker."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from bluegold.core.errors import DeliveryError, ServingError
from bluegold.core.nouns import TrafficSplit
from bluegold.delivery.journal import Journal
from bluegold.delivery.steering import Steering

__all__ = ["AUTOMATIC_WATCH", "complete_rollback", "decide_rollback"]

#: Who takes a release back when no person does.
AUTOMATIC_WATCH = "automatic:watch"

_APPLY_S = 10.0


def decide_rollback(
    journal: Journal, reason: str, *, actor: str = AUTOMATIC_WATCH, first_bad_at: float = 0.0, **detail: Any
) -> None:
    """Write the decision to take a release back, with what it rests on.

    Args:
        journal: the release.
        reason: the guardrail or event, with numbers.
        actor: who decides.
        first_bad_at: unix seconds of the first evidence; the decision itself when unknown.
        detail: measures and the like.

    Raises:
        DeliveryError: it is the first version and in production already: there is nothing to go back to.
    """
    if not journal.blue and journal.production() == journal.ref:
        raise DeliveryError(
            f"{journal.ref} is in production and nothing was before it",
            way_out=f"run 'bluegold deliver {journal.ref}' to finish its release, then deliver a better version",
            subject=journal.ref,
        )
    decided = time.time()
    journal.advance(
        "rolling_back",
        f"taking {journal.ref} back: {reason}",
        level="loud",
        actor=actor,
        reason=reason,
        decided_at=decided,
        first_bad_at=first_bad_at or decided,
        rolled_back_by=actor,
        from_phase=journal.phase,
        **detail,
    )


def complete_rollback(journal: Journal, steering: Steering, to: str = "") -> None:
    """Carry a written rollback out: registry to safety, every worker proven, release closed with its evidence.

    Doing it again after a crash changes nothing that was done and finishes the rest.

    Args:
        journal: a release in phase ``rolling_back``.
        steering: shows when every worker follows.
        to: the version to go back to, when a person named one.
    """
    registry, detail = journal.registry, journal.detail
    actor, reason = str(detail.get("rolled_back_by", AUTOMATIC_WATCH)), str(detail.get("reason", ""))
    to = to or str(detail.get("to", ""))
    if not to and journal.production() == journal.ref:
        to = journal.blue
    safe, proof = "", "no version was ever in production"
    if to or journal.production() or registry.lifecycle.previous(journal.model):
        split = registry.restore(journal.model, to=to or None, actor=actor, reason=reason)
        safe, proof = split.blue, _proof(steering, split)
    safe_at = time.time()
    seconds = max(0.0, safe_at - float(detail.get("decided_at", safe_at)))  # a clock moved back says nothing
    since_evidence = max(0.0, safe_at - float(detail.get("first_bad_at", safe_at)))
    if registry.versions.get(journal.ref).stage in {"Staging", "Canary"}:
        registry.lifecycle.transition(journal.ref, "RolledBack", actor, reason, (journal.release.id,))
    outcome = {
        "reason": reason,
        "seconds": round(seconds, 4),
        "seconds_from_first_evidence": round(since_evidence, 4),
        "safe": safe,
        "proof": proof,
    }
    registry.audit.append(
        actor,
        "rollback",
        journal.ref,
        "rolled back",
        {**outcome, "measures": _measures(detail), "release": journal.release.id},
    )
    journal.advance(
        "rolled_back",
        f"{journal.ref} rolled back to {safe or 'nothing'} in {seconds:.2f} s ({proof}): {reason}",
        level="loud",
        actor=actor,
        **outcome,
    )


def _proof(steering: Steering, split: TrafficSplit) -> str:
    """Whether every worker follows, in words."""
    try:
        return "no server was running" if steering.applied(split, _APPLY_S) is None else "every worker serves it"
    except ServingError as error:
        return str(error)


def _measures(detail: dict[str, Any]) -> list[Any]:
    return [msgspec.to_builtins(measure) for measure in detail.get("measures", ())]
