"""Extraction: made-up queries are told from natural ones, one caller against all, and chains are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bluegold.core.errors import DataError
from bluegold.core.workspace import Workspace
from bluegold.production.chain_guard import LIMIT, ChainGuard
from bluegold.production.extraction import WINDOW, Detector
from bluegold.production.extraction_monitor import ExtractionMonitor, Reference
from bluegold.production.messages import Problem
from bluegold.production.operations.alerts import Alerts
from bluegold.production.results.records import DecisionRecord

Matrix = NDArray[np.float64]
KINDS = ("number", "number", "number", "category")


def natural(draw: np.random.Generator, count: int) -> Matrix:
    size = draw.lognormal(3, 1, count)
    level = draw.choice(3, count, p=[0.6, 0.3, 0.1])
    return np.column_stack([size, size * 2 + draw.normal(0, 4, count), draw.normal(level, 0.5), level])


def made_up(draw: np.random.Generator, count: int) -> Matrix:
    low, high = np.array([0.1, 0, -1, 0]), np.array([200, 400, 3, 3])
    found = draw.uniform(low, high, size=(count, 4))
    found[:, 3] = found[:, 3].astype(int)
    return found


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(natural(np.random.default_rng(1), 3000), KINDS)


def test_a_third_of_made_up_queries_is_seen_and_natural_ones_are_not(detector: Detector) -> None:
    draw = np.random.default_rng(2)
    false = np.mean([detector.judge(natural(draw, WINDOW)).suspicious for _ in range(400)])
    assert false <= 0.02
    mixed = [np.vstack([natural(draw, 70), made_up(draw, 30)]) for _ in range(100)]
    assert np.mean([detector.judge(one).suspicious for one in mixed]) >= 0.95


def test_a_chain_of_near_duplicates_is_seen(detector: Detector) -> None:
    draw = np.random.default_rng(3)
    center = natural(draw, 1)
    chain = np.vstack([natural(draw, 70), center + draw.normal(0, 1e-3, (30, 4)) * [1, 1, 1, 0]])
    assert detector.judge(chain).suspicious


def test_too_few_natural_records() -> None:
    with pytest.raises(DataError, match="too few"):
        Detector(natural(np.random.default_rng(1), 100), KINDS)


def records(caller: str, rows: Matrix, at: int = 1) -> list[DecisionRecord]:
    return [
        DecisionRecord(
            at=at,
            model="m",
            version="v1",
            color="blue",
            value=True,
            score=0.5,
            vector=row,
            caller=f"{caller}@10.0.0.1",
            input_digest=f"{hash(tuple(row)) & (2**64 - 1):016x}" + "0" * 48,
        )
        for row in rows.tolist()
    ]


@pytest.fixture
def monitor(detector: Detector, tmp_path: Path) -> Callable[[int], ExtractionMonitor]:
    space = Workspace.create(tmp_path / "w")
    known = {"columns": tuple(range(4)), "detector": detector}
    return lambda budget: ExtractionMonitor(
        space, lambda _: Reference(budget=budget, **known), Alerts(space.run / "alerts.jsonl"), keyed=lambda: True
    )


def test_one_caller_against_all(monitor: Callable[[int], ExtractionMonitor]) -> None:
    draw, watch = np.random.default_rng(4), monitor(0)
    wronged = [watch.take(records(f"user-{number}", natural(draw, WINDOW))) for number in range(20)]
    assert sum(map(len, wronged)) <= 2, "one natural window in a hundred, give or take chance"
    [alert] = watch.take(records("thief", np.vstack([natural(draw, 70), made_up(draw, 30)])))
    assert (alert.caller, alert.kind, alert.queries) == ("thief", "made up", WINDOW)
    assert watch.take(records("slow", made_up(draw, WINDOW - 1))) == [], "no window is full yet"


def test_when_the_world_moves_nobody_is_accused(monitor: Callable[[int], ExtractionMonitor]) -> None:
    draw, watch = np.random.default_rng(5), monitor(0)
    accused = [watch.take(records(f"user-{number}", natural(draw, WINDOW) * [3, 1, 1, 1])) for number in range(8)]
    assert all(accused[:3]), "the first ones cannot be told from thieves"
    assert not any(accused[3:])


def test_the_budget_counts_different_queries_a_day(monitor: Callable[[int], ExtractionMonitor]) -> None:
    draw, watch, day = np.random.default_rng(6), monitor(150), 86_400_000_000
    rows = natural(draw, 151)
    assert watch.take(records("shop", np.repeat(rows[:1], 400, axis=0))) == []
    assert watch.take(records("shop", rows[:150])) == []
    [alert] = watch.take(records("shop", rows))
    assert (alert.kind, alert.value, alert.limit) == ("budget", 151.0, 150.0)
    assert watch.take(records("shop", natural(draw, 150), at=2 * day)) == [], "the next day begins anew"


def test_a_chain_is_refused_and_its_caller_alone() -> None:
    draw, now = np.random.default_rng(7), [0.0]
    guard = ChainGuard(natural(draw, 60).tolist(), (0, 1, 2), lambda: now[0])
    for row in natural(draw, 1000).tolist():
        guard.check("shop", row)
    row = natural(draw, 1)[0]
    for _ in range(500):
        guard.check("retrying", row.tolist())
    chain = (row + draw.normal(0, 1e-3, (100, 4))).tolist()
    for one in chain[:LIMIT]:
        guard.check("thief", one)
    with pytest.raises(Problem) as refused:
        guard.check("thief", chain[LIMIT])
    assert refused.value.status == 429
    with pytest.raises(Problem):
        guard.check("thief", natural(draw, 1)[0].tolist())
    guard.check("shop", row.tolist())
    now[0] = 61.0
    guard.check("thief", natural(draw, 1)[0].tolist())
