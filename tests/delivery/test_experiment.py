"""A/B experiments: the groups are compared by the answers they were given, and the routing is checked first."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bluegold.core.nouns import TrafficSplit
from bluegold.delivery.experiment import analyse
from bluegold.production.results.records import DecisionRecord, OutcomeRecord

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
    assert analyse(records(right), SPLITS, metric="outcome").verdict == "undecided"


def test_a_routing_that_does_not_do_what_was_ordered_proves_nothing() -> None:
    found = analyse(records({"blue": 0.7, "gold": 0.9}, share=0.6), SPLITS)
    assert (found.verdict, "sample ratio" in found.reason) == ("invalid", True)


def test_what_was_only_shadowed_does_not_count() -> None:
    assert analyse(records({"blue": 0.7, "gold": 0.9}, revision=4), SPLITS).gold.requests == 0
