"""The rehearsal: to Gold and back before any user is involved, timed, with every known answer asked of every worker.

Users stay with Blue all the time; only known-answer records reach Gold.  The way back that is walked here is the way
back that a rollback takes: one traffic revision that every worker applies.
"""

from __future__ import annotations

import time

import msgspec

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import Measure
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.reporting import judge
from bluegold.delivery.steering import Steering
from bluegold.production.canary import canary_token
from bluegold.production.operations.known_answers import KnownAnswers, ask
from bluegold.production.operations.processes import Endpoint
from bluegold.registry.bundle import load_bundle
from bluegold.requirements.catalog import requirement

__all__ = ["Rehearsal", "rehearse"]

_WALKS = 2


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """What the walk showed.  ``back_s``: seconds from the order until every worker served Blue alone again."""

    ok: bool
    reason: str
    to_gold_s: float = 0.0
    back_s: float = 0.0
    known_answers: int = 0
    workers: int = 0
    measures: tuple[Measure, ...] = ()


def rehearse(candidate: Candidate, steering: Steering, endpoint: Endpoint) -> Rehearsal:
    """Walk to Gold and back; the traffic is with Blue alone when this returns, whatever happened.

    Args:
        candidate: Gold, with its Blue.
        steering: sets the traffic.
        endpoint: the running server.
    """
    blue = candidate.blue
    if blue is None:
        return Rehearsal(ok=False, reason="there is no Blue to go back to")
    try:
        load_bundle(candidate.registry, blue.ref)
    except BluegoldError as error:
        return Rehearsal(ok=False, reason=f"Blue could not be loaded again: {error}")
    found = Rehearsal(ok=False, reason="not walked")
    for _ in range(_WALKS):
        found = _walk(candidate, blue.ref, steering, endpoint)
        if found.ok or not found.measures or any(m.verdict == "fail" for m in found.measures[1:]):
            break  # only a late return, which a busy machine can cause, is worth a second walk
    return found


def _walk(candidate: Candidate, blue: str, steering: Steering, endpoint: Endpoint) -> Rehearsal:
    sticky = candidate.plan.rollout.sticky_by
    token = canary_token(candidate.workspace.keys)
    reason, to_gold_s = "", 0.0
    asked: list[tuple[str, KnownAnswers]] = []
    began = time.perf_counter()
    try:
        there = steering.set(blue, candidate.ref, "rehearsal", 0.0, reason="rehearsal: to Gold", sticky_by=sticky)
        steering.applied(there)
        to_gold_s = time.perf_counter() - began
        asked.append(("Gold", ask(endpoint, token, candidate.bundle.canaries, "gold")))
    except BluegoldError as error:
        reason = str(error)
    finally:
        began = time.perf_counter()
        back = steering.set(blue, "", "off", 0.0, reason="rehearsal: back to Blue", sticky_by=sticky)
        steering.applied(back)
        back_s = time.perf_counter() - began
    if not reason:
        try:
            canaries = load_bundle(candidate.registry, blue).canaries
            asked.append(("Blue after the return", ask(endpoint, token, canaries, "blue")))
        except BluegoldError as error:
            reason = str(error)
    return _judge(candidate, reason, (to_gold_s, back_s), asked)


def _judge(
    candidate: Candidate, reason: str, seconds: tuple[float, float], asked: list[tuple[str, KnownAnswers]]
) -> Rehearsal:
    limit = requirement("AP-10", candidate.plan).threshold
    measures = [
        Measure(
            name="seconds back to Blue on every worker",
            value=seconds[1],
            limit=limit,
            direction="<=",
            unit="s",
            n=1,
            verdict=judge(seconds[1], limit, "<="),
        )
    ]
    measures += [
        Measure(
            name=f"known answers of {name}",
            value=answers.correct / answers.asked if answers.asked else None,
            limit=1.0,
            n=answers.asked,
            verdict="pass" if answers.ok else "fail" if answers.wrong else "hold",
            note="; ".join(answers.wrong[:3]) or ("" if answers.complete else "not every worker was reached"),
        )
        for name, answers in asked
    ]
    bad = [measure for measure in measures if measure.verdict != "pass"]
    if not reason and bad:
        reason = "; ".join(f"{m.name}: {m.note or m.value}" for m in bad)
    return Rehearsal(
        ok=not reason and len(asked) == 2,
        reason=reason,
        to_gold_s=round(seconds[0], 4),
        back_s=round(seconds[1], 4),
        known_answers=sum(answers.asked for _, answers in asked),
        workers=len(asked[0][1].workers) if asked else 0,
        measures=tuple(measures),
    )
