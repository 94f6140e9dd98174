"""The labelled systems: what they do and what is risky in them, and every activity and risk met at least once."""

import importlib.util
from pathlib import Path

import pytest

from bluegold.design.understand.activities import titles
from bluegold.design.understand.risks import risk_rows

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("scan_benchmark", ROOT / "benchmarks" / "scan.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def systems(bench):
    return [bench.read_repository(path) for path in sorted(bench.UNDERSTOOD.glob("*.txt"))]


@pytest.mark.parametrize("aspect", ["does", "risks"])
def test_precision_and_recall(bench, systems, aspect):
    result = bench.understood(systems, aspect)
    assert result.precision >= 0.95, result
    assert result.recall >= 0.95, result


def test_every_activity_and_every_risk_is_labelled_somewhere(systems):
    labelled = {name for system in systems for name in system.labels}
    assert labelled == set(titles()) | {row.id for row in risk_rows()}


def test_the_measure_can_fail(bench):
    system = bench.Repository("wrong", {"serve": "does", "train": "does"}, {"a.py": b"import mlflow\nmlflow.autolog()"})
    assert bench.understood([system], "does") == (0, 1, 2)
