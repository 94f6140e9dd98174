"""Published lending tables on which no honest model is good enough are refused, and a leak is called a leak."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest

from bluegold.delivery.leakage import LOST, lost_without, suspicions
from bluegold.delivery.sufficiency import rule_of_few, sum_of_some
from bluegold.registry.rule import DecisionRule

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "refused.py"


def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("refused_benchmark", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "why"), [(0, "area under the roc curve"), (1, "filled in after the outcome"), (2, "area under the roc")]
)
def test_lending_tables_are_refused_with_honest_reasons(table: int, why: str, tmp_path: Path) -> None:
    refused = benchmark()
    release, _, said = refused.attempt(refused.TABLES[table], tmp_path)
    assert release.phase == "refused"
    assert why in " ".join(said)
    if table == 1:
        assert "typur" in " ".join(said)


def test_strong_predictors_are_not_suspected_and_leaks_are() -> None:
    """A delay that decides nearly everything is legitimate; a column that only one outcome fills is not."""
    random = np.random.default_rng(5)
    outcome = random.random(4_000) < 0.2
    delay = np.where(outcome, random.normal(60, 20, 4_000), random.normal(0, 12, 4_000))
    rare = np.where(random.random(4_000) < np.where(outcome, 0.3, 0.02), random.exponential(100, 4_000), 0.0)
    filled = np.where(~outcome & (random.random(4_000) < 0.6), random.integers(1, 8, 4_000), 0).astype(float)
    missing = np.where(outcome, np.nan, random.normal(0, 1, 4_000))
    noisy = outcome + random.normal(0, 0.1, 4_000)
    matrix, program = numbers(delay=delay, rare=rare, filled=filled, missing=missing, outcome=noisy)
    found = suspicions(matrix, program, outcome)
    assert {one.feature for one in found if one.certain} == {"filled", "missing", "outcome"}
    assert {one.feature for one in found if not one.certain} == {"delay"}, "near certainty is asked about, not refused"


class Columns(msgspec.Struct):
    """Names and kinds of columns, as a feature program tells them."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    vocabularies: dict[str, tuple[str, ...]] = {}


def numbers(**columns: np.ndarray) -> tuple[np.ndarray, Any]:
    return np.column_stack(list(columns.values())), Columns(tuple(columns), ("number",) * len(columns))


def test_a_leak_on_a_scale_asks_or_refuses_by_its_strength_and_by_what_is_lost_without_it() -> None:
    random = np.random.default_rng(3)
    score = random.normal(0, 1, 3_000)
    approved = score + random.normal(0, 1, 3_000) > 0
    rule = DecisionRule()
    for noise, certain in ((0.2, True), (0.3, False)):
        limit = approved + random.normal(0, noise, 3_000)
        matrix, program = numbers(score=score, limit=limit)
        found = suspicions(matrix, program, approved, rule)
        assert [(one.feature, one.certain, one.filled) for one in found] == [("limit", certain, False)]
        assert lost_without(matrix, program, approved, rule, {"limit"}) >= LOST
    folded = np.where(approved, random.uniform(1, 2, 3_000), random.uniform(0, 1, 3_000) - 5 * (score > 0) * 2)
    assert not suspicions(*numbers(score=score), approved, rule), "a strong measurement is no leak"
    assert suspicions(*numbers(folded=np.abs(folded - 1.5)), np.abs(folded - 1.5) < 0.4, rule), "of any shape"


def test_a_predicted_number_and_a_class_have_leaks_too() -> None:
    random = np.random.default_rng(4)
    size = random.lognormal(0, 0.6, 2_000)
    price = size * random.lognormal(0, 0.4, 2_000)
    number = DecisionRule(task="regression", scale=float(price.std()))
    matrix, program = numbers(size=size, tax=np.log(price) * 7.0)
    assert [one.feature for one in suspicions(matrix, program, price, number)] == ["tax"]
    assert lost_without(matrix, program, price, number, {"tax"}) > LOST
    kind = random.integers(0, 3, 2_000)
    classes = DecisionRule(task="multiclass", labels=("a", "b", "c"))
    matrix, program = numbers(size=size + kind, shelf=(kind * 7 % 3) + random.normal(0, 0.05, 2_000))
    assert [one.feature for one in suspicions(matrix, program, kind, classes)] == ["shelf"]


def test_an_easy_question_is_no_leak() -> None:
    """Petals that tell a flower apart are measured, and what else is measured tells it as well."""
    random = np.random.default_rng(6)
    kind = random.random(1_000) < 0.4
    matrix, program = numbers(
        length=kind * 3.0 + random.normal(0, 0.3, 1_000), leaf=kind * 2.0 + random.normal(0, 0.6, 1_000)
    )
    found = {one.feature for one in suspicions(matrix, program, kind, DecisionRule())}
    assert "length" in found
    assert lost_without(matrix, program, kind, DecisionRule(), found - {"leaf"}) < LOST


def test_a_filled_category_is_named_as_the_contract_writes_it() -> None:
    denied = np.arange(2_000) % 3 == 0
    reason = np.where(denied, np.arange(2_000) % 2, -1.0)
    program: Any = Columns(("reason",), ("category",), {"reason": ("debt", "income")})
    [one] = suspicions(reason[:, None], program, denied)
    assert "'reason' is missing or unknown in 100.0%" in one.sentence
    [one] = suspicions(np.where(denied, 1.0, np.arange(2_000) % 2)[:, None], program, denied)
    assert "'reason' is 'income' in 100.0%" in one.sentence


def test_inputs_that_only_together_are_the_outcome_are_asked_about() -> None:
    """Two bounds that decide a class, and parts that add up to a number; an honest question is neither."""
    random = np.random.default_rng(7)
    low, high = random.integers(0, 5, 3_000).astype(float), random.integers(0, 5, 3_000).astype(float)
    other = random.normal(0, 1, 3_000)
    matrix, program = numbers(other=other, low=low, high=high)
    answer = np.where(low == 0, 0, np.where(high == 0, 1, 2))
    classes = DecisionRule(task="multiclass", labels=("nn", "ny", "yy"))
    found = rule_of_few(matrix, program, answer, classes, ("low", "high", "other"))
    assert found is not None
    assert found.features == ("low", "high")
    noisy = np.where(random.random(3_000) < 0.02, random.integers(0, 3, 3_000), answer)
    assert rule_of_few(matrix, program, noisy, classes, ("low", "high", "other")) is None
    found = sum_of_some(matrix, program, low * 2.0 + high)
    assert found is not None
    assert found.features == ("low", "high")
    assert sum_of_some(matrix, program, low * 2.0 + high + random.normal(0, 0.1, 3_000)) is None
