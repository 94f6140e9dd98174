"""Drift from a sketch is what exact tests say; the error window sees a change soon and stays silent without one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from bluegold.core.errors import DataError
from bluegold.features.adwin import Adwin
from bluegold.features.drift import measure, sketch


class Program:
    names = ("a", "b", "kind")
    kinds = ("number", "number", "category")


def rows(count: int, shift: float, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    kinds = draw.choice([0.0, 1.0, 2.0], count, p=[0.5, 0.3, 0.2]) - (shift > 0) * (draw.random(count) < 0.3)
    return np.column_stack((draw.normal(shift, 1, count), draw.exponential(1 + shift, count), np.maximum(kinds, -1)))


def test_the_sketch_agrees_with_exact_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    program: Any = Program()
    old, new = rows(20_000, 0.0, 1), rows(20_000, 0.3, 2)
    new[::10, 0] = np.nan
    reference = sketch(old, program)
    same = measure(reference, old)
    assert max(one.psi for one in same) < 1e-6
    found = measure(reference, new)
    for place in (0, 1):
        exact = new[~np.isnan(new[:, place]), place]
        assert found[place].ks == pytest.approx(ks_2samp(old[:, place], exact).statistic, abs=0.006)
        area = wasserstein_distance(old[:, place], exact) / reference.features[place].deviation
        assert found[place].wasserstein == pytest.approx(area, rel=0.05)
        assert found[place].psi > 10 * same[place].psi
    assert found[0].missing == 0.1
    assert found[2].psi > 0.05
    with pytest.raises(DataError):
        measure(reference, old[:, :2])


def test_a_change_of_the_error_rate_is_seen_soon_and_only_then() -> None:
    for seed in range(6):
        draw = np.random.default_rng(seed)
        values = np.concatenate((draw.random(5_000) < 0.08, draw.random(1_000) < 0.35)).astype(float)
        watch = Adwin()
        alarms = [place for place, value in enumerate(values.tolist()) if watch.update(value)]
        assert alarms
        assert 5_000 <= alarms[0] < 5_250
        assert watch.mean > 0.25
