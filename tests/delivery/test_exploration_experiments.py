"""Every state of a release whose canary is an experiment, whatever the evidence says, turns to, or keeps back.

The model checker of `test_exploration.py`, with what the experiment has found so far beside what is written; what a
finding makes of the canary is asked of the product (`delivery/trial.py`), for every plan there is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import pytest

from bluegold.core.plan import ExperimentPlan
from bluegold.delivery.experiment import analyse
from bluegold.delivery.release import CLOSED
from bluegold.delivery.trial import Verdict, decided

from .test_exploration import STARTS, State, advanced, everybody, restored, safe

NOTHING = analyse([], [])
#: what may have been found: verdict, outcomes (fewer than the least, enough, or the most), and whether days are over
FOUND = [
    (verdict, outcomes, late)
    for verdict in ("gold is better", "blue is better", "undecided", "invalid")
    for outcomes in (10, 1_000, 50_000)
    for late in (False, True)
]
PLANS = [
    ExperimentPlan(decides=decides, undecided=undecided)
    for decides in ("promote", "recommend")
    for undecided in ("pause", "rollback", "go_on")
]
NAMES = [f"{one.decides}-{one.undecided}" for one in PLANS]


class Tried(NamedTuple):
    """What is written, and what the experiment says by now."""

    state: State = State()
    said: Verdict = "hold"


def says(plan: ExperimentPlan, found: tuple[str, int, bool]) -> Verdict:
    """What the product makes of a finding."""
    verdict, outcomes, late = found
    return decided(plan, msgspec.structs.replace(NOTHING, verdict=verdict), outcomes, late=late)[0]


def after(verdicts: set[Verdict], tried: Tried) -> Iterator[Tried]:
    """Everything that may be written next; more outcomes may say something else while users are asked."""
    state, said = tried
    if state.phase == "canary" and state.mode == "canary":
        yield from (Tried(state, one) for one in verdicts - {said})
    for following in everybody(state):
        if following is None or following == state:
            continue
        if said == "advance" or not _shifted(state, following):
            yield Tried(following, said)


@pytest.mark.parametrize("plan", PLANS, ids=NAMES)
def test_a_canary_goes_on_by_itself_only_as_its_plan_states(plan: ExperimentPlan) -> None:
    enough = {one for one in FOUND if one[1] >= plan.least}
    won = {one for one in enough if one[0] == "gold is better"} if plan.decides == "promote" else set()
    ended = {one for one in FOUND if one[2] or one[1] >= plan.most}
    open_ = {one for one in ended if one[0] == "undecided" or (one[0] == "gold is better" and one not in enough)}
    goes_on = open_ if plan.undecided == "go_on" else set()
    assert {one for one in FOUND if says(plan, one) == "advance"} == won | goes_on
    lost = {one for one in FOUND if one[0] == "blue is better" and (one in enough or one in ended)}
    assert lost <= {one for one in FOUND if says(plan, one) == "rollback"}
    assert all(says(plan, one) != "hold" for one in ended)  # the stated end is an end


@pytest.mark.parametrize("plan", [PLANS[0], PLANS[3], PLANS[5]], ids=[NAMES[0], NAMES[3], NAMES[5]])
def test_safety_and_an_end_are_reachable_whatever_was_found(plan: ExperimentPlan) -> None:
    verdicts = {says(plan, one) for one in FOUND}
    graph: dict[Tried, set[Tried]] = {}
    waiting = deque(Tried(state) for state in STARTS)
    while waiting:
        tried = waiting.popleft()
        if tried not in graph:
            graph[tried] = set(after(verdicts, tried))
            waiting.extend(graph[tried])
    backwards: dict[Tried, list[Tried]] = {}
    for before, afters in graph.items():
        state = before.state
        assert [state.blue, state.gold].count("Production") <= 1
        if state.share and state.blue:
            way = state if state.phase == "rolling_back" else advanced(state, "rolling_back", person=False)
            back = None if way is None else restored(way)
            assert back is not None, before
            assert safe(back), before
        for one in afters:
            backwards.setdefault(one, []).append(before)
    phases = {one.state.phase for one in graph}
    assert "promoted" in phases  # by a person where the machine only recommends
    assert ("shift" in phases) == ("advance" in verdicts)
    reached = {one for one in graph if one.state.phase in CLOSED}
    waiting = deque(reached)
    while waiting:
        for before in backwards.get(waiting.popleft(), ()):
            if before not in reached:
                reached.add(before)
                waiting.append(before)
    assert set(graph) == reached


def _shifted(before: State, following: State) -> bool:
    return before.phase == "canary" and following.phase == "shift"
