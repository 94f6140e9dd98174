"""Published lending tables on which no honest model is good enough are refused, and a leak is called a leak."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from bluegold.delivery.leakage import suspicions

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
    names = ("delay", "rare", "filled", "missing", "outcome")
    matrix = np.column_stack([delay, rare, filled, missing, outcome + random.normal(0, 0.1, 4_000)])
    assert {one.feature for one in suspicions(matrix, names, outcome)} == {"filled", "missing", "outcome"}
