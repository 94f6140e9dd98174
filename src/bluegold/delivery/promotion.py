"""Promotion: Gold becomes Blue and the old Blue is archived intact, in one transaction; then every worker proves it."""

from __future__ import annotations

from bluegold.core.errors import BluegoldError, DeliveryError
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.journal import Journal
from bluegold.delivery.safety import decide_rollback
from bluegold.delivery.siblings import fallen
from bluegold.delivery.steering import Steering
from bluegold.production.canary import canary_token
from bluegold.production.operations.known_answers import ask

__all__ = ["carry_out_promotion", "finish", "proof_of"]


def carry_out_promotion(candidate: Candidate, journal: Journal, steering: Steering) -> None:
    """Carry a written promotion out; after a crash, finish it.

    Args:
        candidate: the version.
        journal: its release, in phase ``promoting``.
        steering: shows when every worker follows.

    Raises:
        BluegoldError: a first version cannot be promoted; there is nothing to go back to, so nothing was changed.
    """
    blue = journal.blue
    try:
        _promote(candidate, journal)
        wrong, took = proof_of(candidate, steering)
        wrong = wrong or fallen(journal)
    except BluegoldError as error:
        if not blue:
            raise
        wrong, took = str(error), None
    if wrong and blue:
        decide_rollback(journal, f"the promotion could not be carried out: {wrong}")
        return
    finish(journal, wrong, took)


def proof_of(candidate: Candidate, steering: Steering) -> tuple[str, float | None]:
    """What is wrong with the new Blue on the running server (or nothing), and after how many seconds it served.

    Args:
        candidate: the version, in production by now.
        steering: shows when every worker follows.
    """
    split = steering.current()
    took = steering.applied(split) if split is not None else None
    return _wrong_answers(candidate, steering), took


def finish(journal: Journal, wrong: str, took: float | None) -> None:
    """Write that a promotion was carried out.

    Args:
        journal: the release, in phase ``promoting``.
        wrong: what was wrong with the known answers of a first version, or nothing.
        took: seconds until every worker served it; None when no server runs.
    """
    registry, blue = journal.registry, journal.blue
    old = f"{blue} is archived" if blue else "it is the first Blue"
    where = f", on every worker after {took:.2f} s" if took is not None else ""
    journal.advance(
        "promoted",
        f"{journal.ref} is in production{where}; {old}",
        share=1.0,
        archived=blue,
        known_answers=wrong or "right",
        production=registry.versions.get(journal.ref).stage,
    )


def _promote(candidate: Candidate, journal: Journal) -> None:
    registry = journal.registry
    if journal.production() == journal.ref:
        return
    if len(journal.detail.get("together", ())) > 1:
        raise DeliveryError(
            f"{journal.ref} is promoted together with others or not at all",
            why="the controller ended before their one transaction",
            way_out="deliver them again, then promote them together",
            subject=journal.ref,
        )
    if not candidate.bundle.canaries and not candidate.blue:
        journal.tell("the version carries no known answers", level="loud")
    if registry.versions.get(journal.ref).stage == "Staging":
        registry.lifecycle.transition(journal.ref, "Canary", journal.actor, "six gates passed", (journal.release.id,))
    evidence = (journal.release.id, *(f"gate {name}: {said}" for name, said in journal.detail.get("gates", {}).items()))
    reason = str(journal.detail.get("reason", "")) or "the release held its guardrails"
    registry.promote(journal.ref, actor=journal.actor, reason=reason[:500], evidence=evidence)


def _wrong_answers(candidate: Candidate, steering: Steering) -> str:
    """What is wrong with the known answers of the new Blue on the running server, or nothing."""
    server = steering.server
    if server is None:
        return ""
    found = ask(server, canary_token(candidate.workspace.keys), candidate.bundle.canaries, "blue")
    if found.wrong:
        return f"known answers were wrong after the switch: {'; '.join(found.wrong[:3])}"
    return ""
