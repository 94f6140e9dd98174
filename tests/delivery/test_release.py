"""The release table: laws over every path through it."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from bluegold.core.errors import ForbiddenTransition
from bluegold.delivery.release import CLOSED, PHASES, STEPS, TRAFFIC, USERS, Facts, check, following
from bluegold.registry.releases import CLOSED as REGISTRY_CLOSED
from bluegold.registry.releases import FIRST

NAMES = Facts.__struct_fields__
ALL_FACTS = [
    Facts(**dict(zip(NAMES, bits, strict=True))) for bits in itertools.product([False, True], repeat=len(NAMES))
]


def possible(facts: Facts) -> bool:
    return facts.blue != facts.no_blue


def walk(start: str, facts: Facts) -> set[str]:
    """Every phase reachable while ``facts`` hold."""
    seen, open_ends = {start}, [start]
    while open_ends:
        phase = open_ends.pop()
        for target in following(phase):
            try:
                check(phase, target, facts)
            except ForbiddenTransition:
                continue
            if target not in seen:
                seen.add(target)
                open_ends.append(target)
    return seen


@pytest.mark.parametrize(
    "facts", [f for f in ALL_FACTS if possible(f)], ids=lambda f: "".join("01"[b] for b in msgspec.structs.astuple(f))
)
def test_users_are_reached_only_with_gates_rehearsal_and_consent(facts: Facts) -> None:
    reached = walk("candidate", facts) & USERS
    if reached:
        assert facts.six_gates
        assert facts.consent
        assert facts.no_blue or facts.rehearsed
    if facts.six_gates and facts.consent and (facts.no_blue or facts.rehearsed):
        assert reached, "an honest release gets through"


def test_every_step_into_a_user_phase_needs_six_gates_and_consent() -> None:
    for step in STEPS:
        if step.target in USERS - {"promoted"}:
            assert {"six_gates", "consent"} <= set(step.needs), step
            assert {"rehearsed"} <= set(step.needs) or "no_blue" in step.needs, step


def test_promoted_comes_only_after_the_decision_was_written() -> None:
    assert {step.source for step in STEPS if step.target == "promoted"} == {"promoting"}


@pytest.mark.parametrize("phase", sorted(set(PHASES) - CLOSED))
def test_safety_is_one_unconditional_step_away(phase: str) -> None:
    """With nothing true at all, every open phase still leads to safety."""
    if phase == "rolling_back":
        safe = {"rolled_back"}
    elif phase in {"candidate", "held", "gates"}:
        safe = {"refused"}
    else:
        safe = {"rolling_back"}
    for target in safe:
        check(phase, target, Facts())  # type: ignore[arg-type] - a phase by parametrisation


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_is_reachable_and_no_open_phase_is_a_dead_end(phase: str) -> None:
    everything = [Facts(**dict.fromkeys(NAMES, True) | {"no_blue": cold, "blue": not cold}) for cold in (True, False)]
    assert any(phase in walk("candidate", facts) for facts in everything)
    assert (phase in CLOSED) == (not following(phase))  # type: ignore[arg-type] - a phase by parametrisation


def test_nobody_but_a_person_jumps_to_promotion() -> None:
    machine = Facts(six_gates=True, blue=True, rehearsed=True, consent=True)
    for source in ("canary", "shift", "paused"):
        with pytest.raises(ForbiddenTransition):
            check(source, "promoting", machine)  # type: ignore[arg-type] - a phase by parametrisation


def test_a_step_that_is_not_in_the_table_is_refused_and_says_what_is() -> None:
    with pytest.raises(ForbiddenTransition, match="after candidate comes gates, refused"):
        check("candidate", "canary", Facts(**dict.fromkeys(NAMES, True)))


def test_registry_and_table_agree_where_a_release_begins_and_ends() -> None:
    assert PHASES[0] == FIRST
    assert CLOSED == REGISTRY_CLOSED
    assert {TRAFFIC.get(phase) for phase in CLOSED} == {None}
