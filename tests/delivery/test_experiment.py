"""A/B experiments: the groups are compared by the answers they were given, and the routing is checked first."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bluegold.core.errors import DefinitionError
from bluegold.core.nouns import TrafficSplit, now
from bluegold.core.plan import ExperimentPlan, Plan
from bluegold.core.plan_file import read_plan
from bluegold.core.workspace import Workspace
from bluegold.delivery.controller import deliver
from bluegold.delivery.experiment import Question, analyse
from bluegold.delivery.trial import Trial
from bluegold.delivery.watch import Observation
from bluegold.production.operations.processes import Endpoint
from bluegold.production.results.decision_log import DecisionLog, DecisionReader
from bluegold.production.results.records import DecisionRecord, OutcomeRecord
from bluegold.registry import Registry
from bluegold.registry.rule import DecisionRule

from .conftest import MODEL, Traffic

SPLITS = (
    TrafficSplit(model="m", revision=4, blue="m:v1", gold="m:v2", mode="shadow"),
    TrafficSplit(model="m", revision=5, blue="m:v1", gold="m:v2", gold_share=0.5, mode="canary"),
)


def records(right: dict[str, float], share: float = 0.5, count: int = 4_000, revision: int = 5) -> list[Any]:
    chance, found = random.Random(1), []
    for number in range(count):
        color = "gold" if chance.random() < share else "blue"
        label = chance.random() < 0.3
        value = label if chance.random() < right[color] else not label
        found.append(
            DecisionRecord(
                at=1,
                model="m",
                version="v2" if color == "gold" else "v1",
                color=color,
                routed=color,
                value=value,
                score=0.5,
                id=str(number),
                revision=revision,
            )
        )
        found.append(OutcomeRecord(id=str(number), value=label, at=2))
    return found


@pytest.mark.parametrize(
    ("right", "verdict"),
    [
        ({"blue": 0.80, "gold": 0.90}, "gold is better"),
        ({"blue": 0.90, "gold": 0.80}, "blue is better"),
        ({"blue": 0.85, "gold": 0.85}, "undecided"),
    ],
)
def test_the_better_answers_are_found(right: dict[str, float], verdict: str) -> None:
    found = analyse(reversed(records(right)), SPLITS)
    assert found.verdict == verdict
    assert found.low < right["gold"] - right["blue"] < found.high
    assert analyse(records(right), SPLITS, Question(metric="outcome")).verdict == "undecided"


def test_a_routing_that_does_not_do_what_was_ordered_proves_nothing() -> None:
    found = analyse(records({"blue": 0.7, "gold": 0.9}, share=0.6), SPLITS)
    assert (found.verdict, "sample ratio" in found.reason) == ("invalid", True)


def test_what_was_only_shadowed_does_not_count() -> None:
    assert analyse(records({"blue": 0.7, "gold": 0.9}, revision=4), SPLITS).gold.requests == 0


def test_classes_and_numbers_are_compared_by_their_own_rule() -> None:
    words = [
        msgspec.structs.replace(one, value="b" if one.value == "False" else "a")
        if isinstance(one, DecisionRecord)
        else one
        for one in records({"blue": 0.8, "gold": 0.8})
    ]
    classes = DecisionRule(task="multiclass", labels=("a", "b"))
    told = {one.id: one.value for one in words if isinstance(one, DecisionRecord) and one.routed == "gold"}
    said = [
        OutcomeRecord(id=one.id, value=told.get(one.id, "c"), at=2) if isinstance(one, OutcomeRecord) else one
        for one in words
    ]
    assert analyse(said, SPLITS, Question(rule=classes)).verdict == "gold is better"
    numbers = DecisionRule(task="regression", scale=10.0)
    near = [
        msgspec.structs.replace(one, value=4.0 if one.routed == "gold" else 5.0)
        if isinstance(one, DecisionRecord)
        else OutcomeRecord(id=one.id, value=0.0, at=2)
        for one in records({"blue": 0.8, "gold": 0.8})
    ]
    found = analyse(near, SPLITS, Question(rule=numbers))
    assert found.verdict == "gold is better"
    assert found.difference == pytest.approx(0.1, abs=0.001)
    with pytest.raises(DefinitionError, match="regression outcome"):
        analyse(near, SPLITS, Question(metric="outcome", rule=numbers))


def test_fewer_positive_outcomes_can_be_what_is_wanted() -> None:
    rare = [
        msgspec.structs.replace(one, value=one.value and int(one.id) % 3 > 0) if isinstance(one, OutcomeRecord) else one
        for one in records({"blue": 0.8, "gold": 0.8}, count=6_000)
    ]
    gold = {one.id for one in rare if isinstance(one, DecisionRecord) and one.routed == "gold"}
    mixed = [
        msgspec.structs.replace(one, value=False) if isinstance(one, OutcomeRecord) and one.id in gold else one
        for one in rare
    ]
    assert analyse(mixed, SPLITS, Question(metric="outcome")).verdict == "blue is better"
    assert analyse(mixed, SPLITS, Question(metric="outcome", fewer=True)).verdict == "gold is better"


QUIET = Observation(verdict="advance", reason="every guardrail held on enough evidence", measures=())
RIGHT = {"blue": 0.80, "gold": 0.90}
WRONG = {"blue": 0.90, "gold": 0.80}
SAME = {"blue": 0.85, "gold": 0.85}


def logged(root: Path, found: list[Any]) -> DecisionReader:
    """The records in a real decision log."""
    decisions, truths = found[::2], [one.value for one in found[1::2]]

    async def run() -> None:
        log = DecisionLog(root, 0)
        await log.write(decisions)  # an id is the address of its record: it is known now
        await log.write(
            [OutcomeRecord(id=one.id, value=value, at=2) for one, value in zip(decisions, truths, strict=True)]
        )
        log.close()

    asyncio.run(run())
    return DecisionReader(root)


@pytest.mark.parametrize(
    ("right", "plan", "verdict", "said"),
    [
        (RIGHT, {"decides": "promote"}, "advance", "gold is better"),
        (RIGHT, {"decides": "recommend"}, "pause", "promotion is recommended"),
        (RIGHT, {"decides": "promote", "least": 6_000, "most": 9_000}, "hold", "4000 of at most 9000"),
        (WRONG, {}, "rollback", "blue is better"),
        (SAME, {"most": 20_000}, "hold", "holds zero"),
        (SAME, {"most": 4_000}, "pause", "no winner after 4000 outcomes"),
        (SAME, {"most": 4_000, "undecided": "rollback"}, "rollback", "no winner"),
        (SAME, {"most": 4_000, "undecided": "go_on"}, "advance", "no winner"),
        (SAME, {"days": 1.0}, "pause", "no winner after 1 days"),
    ],
)
def test_an_experiment_ends_as_its_plan_said(
    right: dict[str, float], plan: dict[str, Any], verdict: str, said: str, tmp_path: Path
) -> None:
    began = now() - dt.timedelta(days=2 if "days" in plan else 0)
    splits = [msgspec.structs.replace(one, at=began) for one in SPLITS]
    trial = Trial(ExperimentPlan(**plan), DecisionRule(), logged(tmp_path, records(right)))
    found = trial.look(splits, QUIET)
    assert (found.verdict, said in found.reason) == (verdict, True), found.reason
    assert found.experiment is not None
    assert found.measures[-1].n == 4_000


def test_guardrails_go_before_the_experiment_and_its_shares_are_checked(tmp_path: Path) -> None:
    reader = logged(tmp_path / "a", records(RIGHT))
    plan = ExperimentPlan(decides="promote")
    broken = msgspec.structs.replace(QUIET, verdict="rollback", reason="errors")
    assert Trial(plan, DecisionRule(), reader).look(SPLITS, broken) == broken
    waiting = msgspec.structs.replace(QUIET, verdict="hold", reason="1.0 of 5 s held")
    held = Trial(plan, DecisionRule(), reader).look(SPLITS, waiting)
    assert (held.verdict, "1.0 of 5 s held" in held.reason) == ("hold", True)
    off = Trial(plan, DecisionRule(), logged(tmp_path / "b", records(RIGHT, share=0.6))).look(SPLITS, QUIET)
    assert (off.verdict, "sample ratio" in off.reason) == ("pause", True)


def test_a_clock_that_was_moved_back_ends_no_experiment_early_and_never_without_end(tmp_path: Path) -> None:
    ahead = [msgspec.structs.replace(one, at=now() + dt.timedelta(days=400)) for one in SPLITS]
    reader = logged(tmp_path, records(SAME))
    waiting = Trial(ExperimentPlan(days=1.0), DecisionRule(), reader)
    assert not waiting.late(ahead)
    assert waiting.look(ahead, QUIET).verdict == "hold"
    assert Trial(ExperimentPlan(days=1.0, most=4_000), DecisionRule(), reader).look(ahead, QUIET).verdict == "pause"


def test_the_plan_of_an_experiment_is_held_against_itself(tmp_path: Path) -> None:
    path = tmp_path / "architecture.yaml"
    for text, said in (
        ("rollout: {experiment: {least: 10, most: 5}}", "more than most"),
        (
            "regulated: true\ngovernance: {approval: human}\nrollout: {experiment: {decides: promote}}",
            "decides is 'promote'",
        ),
        ("rollout: {experiment: {share: 1.0}}", "< 1.0"),
    ):
        path.write_text(f"system: m\n{text}\n")
        with pytest.raises(DefinitionError, match=said):
            read_plan(path)


def test_a_canary_with_an_experiment_decides_by_itself(
    workspace: Workspace, registry: Registry, server: Endpoint, traffic: Callable[..., Traffic]
) -> None:
    plan = msgspec.json.decode(registry.versions.artefact("v2", "plan.json"), type=Plan)
    wanted = ExperimentPlan(share=0.4, least=50, most=120, decides="promote", undecided="go_on")
    plan = msgspec.structs.replace(plan, rollout=msgspec.structs.replace(plan.rollout, experiment=wanted))
    with traffic() as live:
        release = deliver("v2", registry, workspace, plan)
    assert release.phase == "promoted", release.detail.get("reason")
    assert release.detail["experiment"]["ordered_share"] == pytest.approx(0.4)
    assert ("canary", 0.4) in [(one.mode, one.gold_share) for one in registry.traffic.history(MODEL)]
    assert any("experiment over" in step["text"] for step in release.detail["steps"])
    assert live.failed == []
