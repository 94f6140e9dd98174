"""Evidence on predicted numbers and on classes: a worse Gold is caught, an equal one is left alone."""

from __future__ import annotations

import random

import pytest

from bluegold.core.plan import Rollout
from bluegold.delivery.evidence import Comparison, Evidence
from bluegold.delivery.guardrails import findings
from bluegold.production.results.records import DecisionRecord, Other, OutcomeRecord
from bluegold.registry.rule import DecisionRule, Value

NUMBER = DecisionRule(task="regression", scale=10.0)
CLASSES = DecisionRule(task="multiclass", labels=("a", "b", "c"))


def seen(rule: DecisionRule, rows: list[tuple[Value, Value, Value]]) -> Evidence:
    """The evidence of rows (gold, blue, outcome)."""
    evidence = Evidence(Comparison(model="m", blue="m:v1", gold="m:v2", rule=rule), starts=2)
    evidence.begin(1)
    for number, (gold, blue, outcome) in enumerate(rows):
        other = Other(color="gold", version="v2", value=gold, score=0.5)
        record = DecisionRecord(
            at=1,
            model="m",
            version="v1",
            color="blue",
            value=blue,
            score=0.5,
            id=f"0-1-{number}",
            revision=1,
            other=other,
        )
        evidence.take([record, OutcomeRecord(id=record.id, value=outcome, at=2)])
    return evidence


def quality(evidence: Evidence) -> str:
    [found] = [one.measure for one in findings(evidence, Rollout(), 150) if one.guardrail == "quality"]
    return found.verdict


def numbers(worse: float, rows: int = 1500) -> list[tuple[Value, Value, Value]]:
    draw = random.Random(3)
    truths = [draw.gauss(0, 10) for _ in range(rows)]
    return [(t + draw.gauss(0, 3 + worse), t + draw.gauss(0, 3), t) for t in truths]


def test_a_number_that_misses_by_more_is_caught() -> None:
    assert quality(seen(NUMBER, numbers(worse=3.0))) == "fail"
    assert quality(seen(NUMBER, numbers(worse=0.0))) == "pass"


def test_small_differences_of_numbers_are_not_rounded_away() -> None:
    evidence = seen(NUMBER, [(1.05, 1.0, 0.0)] * 2000)  # each 0.005 of a deviation worse, a quarter of a step
    assert evidence.quality.mean == pytest.approx(-0.005, abs=1e-4)


def test_classes_are_right_or_wrong() -> None:
    draw = random.Random(4)
    outcomes = [draw.choice("abc") for _ in range(1200)]
    same = [(o if draw.random() < 0.9 else "a", o if draw.random() < 0.9 else "a", o) for o in outcomes]
    worse = [(o if draw.random() < 0.7 else "a", blue, o) for (_, blue, o) in same]
    assert quality(seen(CLASSES, list(same))) == "pass"
    evidence = seen(CLASSES, list(worse))
    assert quality(evidence) == "fail"
    assert evidence.agreement.mean < 0.9


def test_an_outcome_that_says_nothing_is_passed_over() -> None:
    evidence = seen(NUMBER, [(1.0, 1.0, "broken"), (1.0, 1.0, float("nan")), (1.0, 1.0, 1.0)])
    assert evidence.quality.n == 1
