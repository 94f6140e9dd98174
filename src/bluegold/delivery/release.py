"""The release table: every phase of a release, what may follow it, and what must be true first.

It is drawn in the document and enforced here; nothing else decides what a release may do next.  Three laws
follow from it and are tested over all paths: nothing reaches users without six gates, a rehearsed rollback and the
consent the plan asks for; nobody but a person jumps ahead; from every phase that touches traffic one step leads to
safety.

Source: Blue & Gold deployment after Avila & Ahmad (2025), Architecting AI Software Systems, chapter 6.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from bluegold.core.errors import ForbiddenTransition
from bluegold.core.nouns import TrafficMode

__all__ = ["CLOSED", "PHASES", "STEPS", "TRAFFIC", "USERS", "Facts", "Phase", "Step", "check", "following"]

Phase = Literal[
    "candidate",
    "gates",
    "held",
    "refused",
    "rehearsal",
    "shadow",
    "waiting_for_approval",
    "canary",
    "shift",
    "paused",
    "promoting",
    "promoted",
    "rolling_back",
    "rolled_back",
]

PHASES: tuple[Phase, ...] = get_args(Phase)

#: Phases in which a release has ended.
CLOSED: frozenset[Phase] = frozenset({"refused", "promoted", "rolled_back"})

#: Phases in which Gold answers users.
USERS: frozenset[Phase] = frozenset({"canary", "shift", "promoting", "promoted"})

#: Traffic mode of a phase; every other phase leaves Blue alone.
TRAFFIC: dict[Phase, TrafficMode] = {
    "rehearsal": "rehearsal",
    "shadow": "shadow",
    "canary": "canary",
    "shift": "shift",
}


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of a release at this moment, read from the registry and never remembered.

    Attributes:
        six_gates: all six gates passed since the release opened, against the present Blue.
        blue: a version is in production.
        no_blue: none is (cold start).
        rehearsed: the way to Gold and back was walked in this release, in time.
        consent: the plan's approvals are there and this actor may use them.
        person: the actor is a person.
        full_share: Gold answers everybody already.
    """

    six_gates: bool = False
    blue: bool = False
    no_blue: bool = False
    rehearsed: bool = False
    consent: bool = False
    person: bool = False
    full_share: bool = False


_MEANING = {
    "six_gates": "all six gates must have passed in this release, against the present Blue",
    "blue": "there must be a version in production to go back to",
    "no_blue": "only the first version of a model may skip the rollout",
    "rehearsed": "the rollback must have been rehearsed in this release",
    "consent": "the approvals the plan asks for are missing, or this actor may not use them",
    "person": "only a person may do this",
    "full_share": "Gold must answer all requests first",
}


class Step(msgspec.Struct, frozen=True):
    """One allowed step: from, to, when it is taken, and the facts it needs."""

    source: Phase
    target: Phase
    when: str
    needs: tuple[str, ...] = ()


_ROLLOUT = ("six_gates", "blue", "rehearsed", "consent")

#: The table.
STEPS: tuple[Step, ...] = (
    Step("candidate", "gates", "the release begins"),
    Step("candidate", "refused", "a person withdraws it"),
    Step("gates", "refused", "a gate fails, or a person withdraws it"),
    Step("gates", "held", "a gate has too little evidence"),
    Step("held", "gates", "the missing evidence is there"),
    Step("held", "refused", "a person withdraws it"),
    Step("gates", "rehearsal", "six gates passed", ("six_gates", "blue")),
    Step("gates", "waiting_for_approval", "six gates passed, no Blue yet, consent is missing", ("six_gates",)),
    Step("gates", "promoting", "six gates passed, no Blue yet", ("six_gates", "no_blue", "consent")),
    Step(
        "rehearsal", "shadow", "to Gold and back in time, every known answer right", ("six_gates", "blue", "rehearsed")
    ),
    Step("rehearsal", "rolling_back", "the rehearsal fails"),
    Step("shadow", "canary", "Gold agrees well enough beside Blue", _ROLLOUT),
    Step("shadow", "waiting_for_approval", "consent is missing", ("six_gates", "blue", "rehearsed")),
    Step("shadow", "paused", "evidence does not come in time"),
    Step("shadow", "rolling_back", "a guardrail is broken"),
    Step("waiting_for_approval", "shadow", "consent is there", ("six_gates", "blue", "rehearsed", "consent")),
    Step("waiting_for_approval", "promoting", "consent is there, no Blue yet", ("six_gates", "no_blue", "consent")),
    Step("waiting_for_approval", "gates", "Blue changed meanwhile"),
    Step("waiting_for_approval", "refused", "a person withdraws it"),
    Step("waiting_for_approval", "rolling_back", "a person takes it back"),
    Step("canary", "shift", "the canary held its guardrails", _ROLLOUT),
    Step("canary", "paused", "evidence does not come in time"),
    Step("canary", "rolling_back", "a guardrail is broken"),
    Step("canary", "promoting", "a person decides on what is there", (*_ROLLOUT, "person")),
    Step("shift", "shift", "the share held its guardrails", _ROLLOUT),
    Step("shift", "paused", "evidence does not come in time"),
    Step("shift", "rolling_back", "a guardrail is broken"),
    Step("shift", "promoting", "all requests are answered by Gold, and well", (*_ROLLOUT, "full_share")),
    Step("shift", "promoting", "a person decides on what is there", (*_ROLLOUT, "person")),
    Step("paused", "shadow", "the evidence can come now", ("six_gates", "blue", "rehearsed")),
    Step("paused", "gates", "Blue changed meanwhile"),
    Step("paused", "promoting", "a person decides on what is there", (*_ROLLOUT, "person")),
    Step("paused", "rolling_back", "a person withdraws it"),
    Step("promoting", "promoted", "Gold is the new Blue, the old Blue is archived intact"),
    Step("promoting", "rolling_back", "the promotion cannot be carried out"),
    Step("rolling_back", "rolled_back", "every worker serves the safe configuration"),
)


def following(phase: Phase) -> tuple[Phase, ...]:
    """The phases that may follow one.

    Example:
        >>> following("canary")
        ('shift', 'paused', 'rolling_back', 'promoting')
        >>> following("promoted")
        ()
    """
    return tuple(dict.fromkeys(step.target for step in STEPS if step.source == phase))


def check(source: Phase, target: Phase, facts: Facts) -> Step:
    """The step of the table that leads from one phase to another.

    Args:
        source: the phase now.
        target: the phase next.
        facts: what is true at this moment.

    Raises:
        ForbiddenTransition: the table has no such step, or something it needs is not true; says what.

    Example:
        >>> check("shift", "promoting", Facts(six_gates=True, blue=True, rehearsed=True, consent=True))
        Traceback (most recent call last):
        ...
        bluegold.core.errors.ForbiddenTransition: a release cannot go from shift to promoting: Gold must answer all...
    """
    steps = [step for step in STEPS if step.source == source and step.target == target]
    if not steps:
        raise ForbiddenTransition(
            f"a release cannot go from {source} to {target}",
            why=f"after {source} comes {', '.join(following(source)) or 'nothing'}",
        )
    lacking = [[need for need in step.needs if not getattr(facts, need)] for step in steps]
    for step, missing in zip(steps, lacking, strict=True):
        if not missing:
            return step
    missing = min(lacking, key=len)
    raise ForbiddenTransition(
        f"a release cannot go from {source} to {target}", why="; ".join(_MEANING[need] for need in missing)
    )
