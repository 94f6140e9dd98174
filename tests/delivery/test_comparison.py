"""Paired differences: their values, their intervals, and that they are quick."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bluegold.delivery.advisories import Advisories, Advisory
from bluegold.delivery.comparison import accuracy_difference, auc_difference
from bluegold.delivery.features_of_blue import translated


def scored(n: int, seed: int, gain: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.random(n) < 0.3
    base = random.normal(0, 1, n)
    blue = base + 1.5 * labels + random.normal(0, 0.5, n)
    gold = base + (1.5 + gain) * labels + random.normal(0, 0.5, n)
    return labels, gold, blue


def test_auc_difference_is_the_difference_of_the_areas_with_ties() -> None:
    labels, gold, blue = scored(500, 1, gain=0.5)
    gold, blue = gold.round(1), blue.round(1)
    found = auc_difference(labels, gold, blue)
    assert found.value == pytest.approx(roc_auc_score(labels, gold) - roc_auc_score(labels, blue), abs=1e-12)
    assert found.low < found.value < found.high


@pytest.mark.parametrize("kind", ["auc", "accuracy"])
def test_intervals_cover_the_truth(kind: str) -> None:
    """95 % intervals of equal models contain zero in about 95 of 100 samples."""
    inside = 0
    for seed in range(200):
        labels, gold, blue = scored(400, seed)
        if kind == "auc":
            found = auc_difference(labels, gold, blue)
        else:
            found = accuracy_difference((gold > 0.75) == labels, (blue > 0.75) == labels)
        inside += found.low <= 0.0 <= found.high
    assert 180 <= inside <= 199


def test_too_little_says_nothing() -> None:
    one = np.array([True])
    assert np.isnan(auc_difference(one, np.array([0.5]), np.array([0.4])).value)
    assert accuracy_difference(one[:0], one[:0]).low == -1.0
    wide = accuracy_difference(one, one)
    assert wide.low < -0.5 < 0.5 < wide.high


def test_codes_are_translated_between_vocabularies() -> None:
    assert translated(np.array([1.0, -1.0, 0.0]), ("x", "y"), ("y",)).tolist() == [0.0, -1.0, -1.0]


def test_advisories_find_what_is_affected_and_nothing_else() -> None:
    known = Advisories((Advisory(id="A", package="polars", introduced="1.2", fixed="2.0.1"),))
    assert known.audit("polars==2.0.0\nnumpy==2.0.0") == (2, ["polars==2.0.0: A (mended in 2.0.1)"])
    assert known.audit("polars==2.0.1") == (1, [])
    assert known.audit("polars==1.1.9") == (1, [])
