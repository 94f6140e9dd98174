"""Noise stays plausible, whatever the column."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegold.development.verification.robustness import ColumnNoise, perturb

columns = st.lists(
    st.one_of(st.integers(-50, 50).map(float), st.floats(-1e6, 1e6), st.just(float("nan"))), min_size=1, max_size=50
)


@given(columns, st.integers(0, 1000))
def test_noise_keeps_range_gaps_and_integers(values: list[float], seed: int) -> None:
    column = np.array(values)
    noise = ColumnNoise(column)
    shaken = noise.shake(column, 0.1, np.random.default_rng(seed))
    assert np.array_equal(np.isnan(shaken), np.isnan(column))
    known = shaken[~np.isnan(shaken)]
    if known.size:
        assert known.min() >= noise.low
        assert known.max() <= noise.high
        if noise.integer:
            assert np.array_equal(known, np.round(known))


def test_zeros_of_a_zero_inflated_column_stay_zero_while_others_move() -> None:
    column = np.concatenate([np.zeros(600), np.random.default_rng(1).gamma(2.0, 40.0, 400)])
    shaken = ColumnNoise(column).shake(column, 0.1, np.random.default_rng(2))
    assert np.all(shaken[:600] == 0.0)
    assert (shaken[600:] != column[600:]).mean() > 0.95


def test_noise_has_the_asked_size() -> None:
    column = np.random.default_rng(1).normal(10.0, 4.0, 20_000)
    shaken = ColumnNoise(column).shake(column, 0.1, np.random.default_rng(2))
    assert (shaken - column).std() == pytest.approx(0.4, rel=0.03)


def test_categories_are_left_alone_and_noise_repeats() -> None:
    matrix = np.column_stack([np.arange(50.0), np.random.default_rng(0).normal(size=50)])
    one, two = (perturb(matrix, ("category", "number"), 0.05, 7) for _ in range(2))
    assert np.array_equal(one, two)
    assert np.array_equal(one[:, 0], matrix[:, 0])
    assert not np.array_equal(one[:, 1], matrix[:, 1])
    assert not np.array_equal(one, perturb(matrix, ("category", "number"), 0.05, 8))


def test_a_constant_or_empty_column_is_left_alone() -> None:
    for column in (np.full(5, 3.5), np.full(5, np.nan)):
        shaken = ColumnNoise(column).shake(column, 0.1, np.random.default_rng(0))
        assert np.array_equal(shaken, column, equal_nan=True)
