"""Traffic is a row of revisions; a split that makes no sense or comes too late is refused."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import msgspec
import pytest

from bluegold.core.errors import RegistryError, UnknownVersion
from bluegold.core.nouns import ModelVersion, TrafficSplit
from bluegold.registry import Registry

Add = Callable[..., ModelVersion]


def split(**changes: object) -> TrafficSplit:
    return msgspec.structs.replace(TrafficSplit(model="flights", revision=0, blue="v1"), **changes)


def test_every_change_is_a_new_revision_and_none_is_lost(registry: Registry, add: Add) -> None:
    assert registry.traffic.current("flights") is None
    add("Production")
    add("Canary")
    first = registry.traffic.set(split(reason="start"))
    second = registry.traffic.set(split(gold="v2", mode="canary", gold_share=0.05, set_by="ben"))
    assert (first.revision, first.blue, first.set_by) == (1, "flights:v1", "ada")
    assert (second.revision, second.gold, second.set_by) == (2, "flights:v2", "ben")
    assert second.at is not None
    assert registry.traffic.current("flights") == second
    assert registry.traffic.history("flights") == (first, second)
    assert registry.traffic.history("flights", limit=1) == (second,)


def test_a_decision_on_an_old_revision_is_refused(registry: Registry, add: Add) -> None:
    add("Production")
    registry.traffic.set(split(), expected_revision=0)
    with pytest.raises(RegistryError, match="revision 1, not 0"):
        registry.traffic.set(split(), expected_revision=0)
    registry.traffic.set(split(), expected_revision=1)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"blue": ""}, "nobody would answer"),
        ({"gold": "v2", "mode": "canary", "gold_share": 1.5}, "between 0 and 1"),
        ({"gold": "v2", "mode": "canary", "gold_share": float("nan")}, "between 0 and 1"),
        ({"mode": "canary", "gold_share": 0.1}, "needs a gold version"),
        ({"gold": "v2", "mode": "shadow", "gold_share": 0.1}, "answers no user"),
        ({"blue": "income:v1"}, "no version of 'flights'"),
        ({"gold": "v3", "mode": "shadow"}, "its stage is Refused"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(
    registry: Registry, add: Add, changes: dict[str, object], problem: str
) -> None:
    add("Production")
    add("Staging")
    registry.lifecycle.transition(add().ref, "Refused")
    add(model="income")
    with pytest.raises(RegistryError, match=problem):
        registry.traffic.set(split(**changes))
    assert registry.traffic.current("flights") is None


def test_a_version_that_does_not_exist_gets_no_traffic(registry: Registry, add: Add) -> None:
    with pytest.raises(UnknownVersion):
        registry.traffic.set(split())


def test_reading_the_split_and_production_takes_less_than_a_millisecond(registry: Registry, add: Add) -> None:
    for _ in range(20):
        add("Production")
    registry.traffic.set(split(blue="v20"))
    for read in (lambda: registry.traffic.current("flights"), lambda: registry.lifecycle.production("flights")):
        batches = []
        for _ in range(10):
            start = time.perf_counter()
            for _ in range(50):
                assert read() is not None
            batches.append((time.perf_counter() - start) / 50)
        assert min(batches) < 1e-3, statistics.median(batches)
