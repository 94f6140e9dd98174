"""The labelled repositories: precision and recall, and every detector met at least once."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from bluegold.design.scan import vocabulary

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scan_benchmark", ROOT / "benchmarks" / "scan.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_precision_and_recall(bench: ModuleType) -> None:
    repositories = [bench.read_repository(path) for path in sorted(bench.FIXTURES.glob("*.txt"))]
    assert len(repositories) >= 40
    for usages in (("used",), bench.USAGES):
        result = bench.score(repositories, usages)
        assert result.precision >= 0.95, result
        assert result.recall >= 0.95, result


def test_every_detector_is_labelled_somewhere(bench: ModuleType) -> None:
    """A new row without a labelled repository fails here."""
    labelled = {name for path in bench.FIXTURES.glob("*.txt") for name in bench.read_repository(path).labels}
    known = {name for names in vocabulary().values() for name in names}
    assert known - labelled == set()
    assert labelled - known == set()


def test_the_measure_can_fail(bench: ModuleType) -> None:
    right = bench.Repository("right", {"pytorch": "used"}, {"a.py": b"import torch"})
    wrong = bench.Repository("wrong", {"keras": "used", "jax": "declared"}, {"a.py": b"import torch"})
    assert bench.score([right]) == (1, 0, 0)
    assert bench.score([wrong]) == (0, 1, 2)
