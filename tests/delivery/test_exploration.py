"""Every state that a release can be in, with every interleaving of the controller, people, the watchdog and kill -9.

A small model checker over the *real* tables (`delivery/release.py`, `registry/lifecycle.py`).  Every action is one
registry transaction, as the code writes them, and is enabled by what is written alone; so a controller that is
killed between any two writes, and one that resumes, are ordinary paths here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bluegold.core.errors import ForbiddenTransition
from bluegold.delivery.release import CLOSED, PHASES, STEPS, TRAFFIC, Facts, check
from bluegold.registry.lifecycle import TRANSITIONS

MOVES = {(move.from_stage, move.to_stage) for move in TRANSITIONS}
SHARE = {"canary": 1, "shift": 2}  # 1 some users, 2 all of them
GATES = ("unknown", "pass", "hold", "fail")


class State(NamedTuple):
    """What is written: the release, both stages, the traffic, and what a release carries along."""

    phase: str = "candidate"
    gold: str = "Registered"
    blue: str = "Production"  # the version before: Production, Archived, or "" on a cold start
    mode: str = "off"
    share: int = 0
    answers: str = "blue"  # who is Blue in the traffic: the version before, the candidate ("gold"), nobody ("")
    gates: str = "unknown"
    against: bool = True  # the gates compared with what is in production now
    rehearsed: bool = False
    consent: bool = False
    by: str = ""  # who made Gold production: "machine" or "person"


def facts(state: State, *, person: bool) -> Facts:
    """As `Journal.facts` reads them from the registry."""
    production = state.blue == "Production" or state.gold == "Production"
    return Facts(
        six_gates=state.gates == "pass" and state.against,
        blue=state.blue == "Production",
        no_blue=not production,
        rehearsed=state.rehearsed,
        consent=state.consent,
        person=person,
        full_share=state.mode == "shift" and state.share == 2,
    )


def moved(state: State, stage: str) -> State | None:
    return state._replace(gold=stage) if (state.gold, stage) in MOVES else None


def advanced(state: State, target: str, *, person: bool) -> State | None:
    """The next phase, when the table allows it; going back to the gates forgets what they said."""
    try:
        check(state.phase, target, facts(state, person=person))  # type: ignore[arg-type] - phases of the table
    except ForbiddenTransition:
        return None
    if target == "gates":
        return state._replace(phase="gates", gates="unknown", against=True, rehearsed=False)
    return state._replace(phase=target)


def controller(state: State) -> Iterator[State | None]:
    """Every single write that the controller may do next, the automatic actor and a person alike."""
    if state.phase in CLOSED:
        return
    yield from judging(state)
    yield from steering(state)
    yield from finishing(state)
    for person in (False, True):
        for step in STEPS:
            if step.source == state.phase and ready(state, step.target):
                yield advanced(state, step.target, person=person)


def judging(state: State) -> Iterator[State | None]:
    """The writes of the gates and of the rehearsal."""
    if state.phase == "gates":
        yield moved(state, "Staging")
        for verdict in GATES[1:]:
            yield state._replace(gates=verdict)
        if state.gates == "fail":
            yield moved(state, "Refused")
    if state.phase == "rehearsal":
        yield state._replace(mode="rehearsal", share=0)
        yield state._replace(rehearsed=True)


def steering(state: State) -> Iterator[State | None]:
    """The writes of the rollout: stage before traffic, traffic only while Blue is there."""
    if state.blue != "Production":
        return
    if state.phase in {"paused", "waiting_for_approval"}:
        yield state._replace(mode="off", share=0)
    if state.phase == "shadow" and state.gold in {"Staging", "Canary"}:
        yield state._replace(mode="shadow", share=0)
    if state.phase in {"canary", "shift"} and state.gold == "Staging":
        yield moved(state, "Canary")
    if state.phase == "canary" and state.gold == "Canary":
        yield state._replace(mode="canary", share=1)
    if state.phase == "shift" and state.gold == "Canary":
        yield state._replace(mode="shift", share=1)
        yield state._replace(mode="shift", share=2)


def finishing(state: State) -> Iterator[State | None]:
    """The writes of a promotion and of the way back."""
    if state.phase == "promoting":
        if state.gold == "Staging":
            yield moved(state, "Canary")
        if state.gold == "Canary" and state.consent:
            yield promoted(state)
    if state.phase == "rolling_back":
        yield restored(state)


def ready(state: State, target: str) -> bool:
    """What the code does before it writes a phase."""
    if target == "rolled_back":
        return safe(state)  # the registry is restored first
    if target == "promoted":
        return state.gold == "Production"
    if target == "refused":
        return state.gold in {"Refused", "Registered"}
    if state.phase in {"paused", "waiting_for_approval"} and target in {"gates", "shadow"}:
        return state.mode == "off"  # killed between the phase and the traffic: the traffic first
    return state.phase != "gates" or state.gold == "Staging"


def promoted(state: State) -> State:
    """`Registry.promote`: one transaction."""
    blue = "Archived" if state.blue == "Production" else state.blue
    return state._replace(gold="Production", blue=blue, mode="off", share=0, answers="gold")


def restored(state: State) -> State | None:
    """`Registry.restore`: one transaction; the version before answers alone."""
    if not state.blue:
        return None
    gold = state.gold
    if gold == "Production" or (state.mode != "off" and gold in {"Staging", "Canary"}) or state.phase == "rolling_back":
        gold = "RolledBack" if (gold, "RolledBack") in MOVES else gold
    return state._replace(gold=gold, blue="Production", mode="off", share=0, answers="blue")


def safe(state: State) -> bool:
    return state.mode == "off" and state.share == 0 and (not state.blue or state.answers == "blue")


def others(state: State) -> Iterator[State | None]:
    """People and the watchdog, at any moment."""
    if state.phase not in CLOSED:
        yield state._replace(consent=True)
        yield state._replace(consent=False) if state.phase not in {"promoting", "promoted"} else None
        if state.phase in {*TRAFFIC, "paused", "waiting_for_approval", "promoting"}:
            yield advanced(state, "rolling_back", person=True)
        if state.phase in {"candidate", "gates", "held", "waiting_for_approval"}:
            yield moved(state, "Refused")
        if state.blue == "Production" and state.gold != "Production":
            yield state._replace(against=False)  # another version became Blue
    if state.mode in {"canary", "shift"}:
        yield restored(state)  # the watchdog


def explore(actions: Callable[[State], Iterator[State | None]], starts: list[State]) -> dict[State, set[State]]:
    """Every reachable state, with its successors."""
    found: dict[State, set[State]] = {}
    waiting = deque(starts)
    while waiting:
        state = waiting.popleft()
        if state in found:
            continue
        found[state] = {after for after in actions(state) if after is not None and after != state}
        waiting.extend(found[state])
    return found


def everybody(state: State) -> Iterator[State | None]:
    yield from controller(state)
    yield from others(state)


STARTS = [State(), State(blue="", answers="")]
GRAPH = explore(everybody, STARTS)


def test_every_phase_is_explored() -> None:
    assert {state.phase for state in GRAPH} == set(PHASES)
    assert len(GRAPH) > 500


def test_no_state_has_two_blues_or_none_after_the_first() -> None:
    for state in GRAPH:
        blues = [state.blue, state.gold].count("Production")
        assert blues == (0 if not state.blue and state.gold != "Production" else 1), state
        assert (state.answers == "gold") == (state.gold == "Production"), state


def test_users_are_reached_only_after_six_gates() -> None:
    """In every path: the write that gives Gold its first user finds six gates passed, rehearsal and consent."""
    for before, afters in GRAPH.items():
        for after in afters:
            if after.phase in {"canary", "shift", "promoting"} and before.phase not in {"canary", "shift", "promoting"}:
                assert before.gates == "pass", (before, after)
                assert before.consent, (before, after)
                assert before.rehearsed or not before.blue, (before, after)
            gained = after.share > before.share or (after.answers == "gold" != before.answers)
            if gained:
                assert before.phase in {"canary", "shift", "promoting"}, (before, after)
                assert before.gates == "pass", (before, after)


def test_safety_is_reachable_from_everywhere_without_any_help() -> None:
    """From every state in which Gold has users, the way back alone leads to the version before."""
    for state in GRAPH:
        if state.share == 0 or not state.blue:
            continue
        way = state if state.phase == "rolling_back" else advanced(state, "rolling_back", person=False)
        assert way is not None, state
        back = restored(way)
        assert back is not None
        assert safe(back), state
        assert back.blue == "Production"


def test_every_release_can_still_end() -> None:
    """No open state is a trap: from each one, some path leads to a closed phase."""
    backwards: dict[State, set[State]] = {}
    for before, afters in GRAPH.items():
        for after in afters:
            backwards.setdefault(after, set()).add(before)
    ends = [state for state in GRAPH if state.phase in CLOSED]
    reached, waiting = set(ends), deque(ends)
    while waiting:
        for before in backwards.get(waiting.popleft(), ()):
            if before not in reached:
                reached.add(before)
                waiting.append(before)
    assert set(GRAPH) == reached, next(iter(set(GRAPH) - reached))
