"""Confidence sequences keep their promise under continuous looking, and notice a loss in time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegold.delivery.sequential import ConfidenceSequence, log_capital, lower_bound, upper_bound

VALUES = np.array([-1.0, 0.0, 1.0])
ALPHA = 0.01


def simulate(p_loss: float, p_win: float, paths: int, length: int, seed: int) -> np.ndarray:
    """(paths, length, 3) running counts of -1, 0, 1."""
    draws = np.random.default_rng(seed).random((paths, length))
    loss, win = draws < p_loss, draws > 1.0 - p_win
    return np.stack([loss.cumsum(1), (~loss & ~win).cumsum(1), win.cumsum(1)], axis=-1)


def first_alarm(counts: np.ndarray, mean: float, alpha: float) -> np.ndarray:
    """The number of observations at which each path rejects "the mean is at least ``mean``"; inf when never."""
    rejected = log_capital(VALUES, counts, mean, 1.0) >= math.log(1.0 / alpha)
    return np.where(rejected.any(axis=1), rejected.argmax(axis=1) + 1.0, math.inf)


@pytest.mark.parametrize(
    ("p_loss", "p_win", "null"),
    [(0.03, 0.03, 0.0), (0.03, 0.02, -0.01), (0.2, 0.19, -0.01), (0.002, 0.0, -0.002), (0.5, 0.5, 0.0)],
)
def test_false_alarms_stay_below_alpha_when_looking_after_every_observation(
    p_loss: float, p_win: float, null: float
) -> None:
    alarms = first_alarm(simulate(p_loss, p_win, paths=800, length=1500, seed=3), null, 0.05)
    share = float(np.isfinite(alarms).mean())
    assert share <= 0.05, share


def test_an_equal_candidate_is_hardly_ever_rolled_back() -> None:
    """The null of the canary is a loss of one point, so an equal candidate is far inside it."""
    alarms = first_alarm(simulate(0.03, 0.03, paths=1000, length=1500, seed=4), -0.01, ALPHA)
    assert np.isfinite(alarms).mean() <= ALPHA / 2


def test_a_loss_of_ten_points_is_caught_within_a_few_hundred_labels() -> None:
    alarms = first_alarm(simulate(0.12, 0.02, paths=400, length=1500, seed=5), -0.01, ALPHA)
    assert np.median(alarms) < 200
    assert np.quantile(alarms, 0.99) < 600


def test_a_loss_of_three_points_is_caught() -> None:
    alarms = first_alarm(simulate(0.045, 0.015, paths=200, length=8000, seed=6), -0.01, ALPHA)
    assert np.median(alarms) < 2500
    assert np.isfinite(alarms).mean() > 0.97


def test_a_late_loss_is_not_diluted_by_a_good_past() -> None:
    """With a restart the loss is caught in less than half of the labels that the running mean alone needs."""
    rng = np.random.default_rng(7)

    def labels_needed(starts: int) -> int:
        sequence = ConfidenceSequence((-1, 0, 1), starts=starts)
        sequence.add(0, 4800)
        sequence.add(-1, 100)
        sequence.add(1, 100)
        for needed in range(1, 5000):
            draw = rng.random()
            sequence.add(-1 if draw < 0.12 else 1 if draw < 0.14 else 0, window=1)
            if needed % 10 == 0 and sequence.upper(ALPHA) < -0.01:
                return needed
        return 5000

    assert labels_needed(starts=2) * 2 < labels_needed(starts=1)


@given(st.lists(st.sampled_from([-1, 0, 1]), max_size=60), st.floats(0.001, 0.4))
@settings(max_examples=60, deadline=None)
def test_bounds_enclose_the_mean_and_are_mirror_images(seen: list[int], alpha: float) -> None:
    counts = np.array([[seen.count(-1), seen.count(0), seen.count(1)]])
    low, high = (bound(VALUES, counts, (-1.0, 1.0), alpha) for bound in (lower_bound, upper_bound))
    mirrored = upper_bound(VALUES, counts[:, ::-1], (-1.0, 1.0), alpha)
    assert -1.0 <= low <= high <= 1.0
    assert low == pytest.approx(-mirrored, abs=1e-9)
    if seen:
        assert low <= np.mean(seen) <= high


@given(st.integers(0, 400), st.integers(0, 400), st.floats(-0.9, 0.9), st.floats(-0.9, 0.9))
@settings(max_examples=60, deadline=None)
def test_a_stronger_statement_is_rejected_first(losses: int, zeros: int, one: float, two: float) -> None:
    """Capital grows with the mean it is bet against; the search for the bound rests on that."""
    counts = np.array([losses, zeros, 3])
    small, large = sorted((one, two))
    assert log_capital(VALUES, counts, small, 1.0) <= log_capital(VALUES, counts, large, 1.0) + 1e-9


def test_nothing_seen_says_nothing() -> None:
    empty = ConfidenceSequence((0, 1), starts=3)
    assert (empty.lower(0.01), empty.upper(0.01)) == (0.0, 1.0)
    assert empty.n == 0
    assert math.isnan(empty.mean)


def test_windows_know_what_is_theirs() -> None:
    sequence = ConfidenceSequence((0, 1), starts=2)
    sequence.add(1, 10)
    sequence.add(0, 30, window=1)
    sequence.add(0, 5, window=9)
    assert (sequence.n_of(0), sequence.n_of(1), sequence.n) == (10, 35, 45)
    assert sequence.mean_of(0) == 1.0
    assert sequence.mean == pytest.approx(10 / 45)


def test_a_late_turn_is_told_with_the_stretch_that_shows_it() -> None:
    """The mean of everything may still lie inside the limit when a later stretch has left it for certain."""
    agreement = ConfidenceSequence((0, 1), starts=2)
    agreement.add(1, 1_500, window=0)
    agreement.add(1, 560, window=1)
    agreement.add(0, 140, window=1)
    assert agreement.mean > 0.9
    assert agreement.below(0.9, alpha=0.01)
    assert agreement.beyond(0.9, below=True) == (0.8, 700)
