"""Thresholds: the global one is boring on purpose, the ones by group spread errors alike."""

from __future__ import annotations

import numpy as np
import pytest

from bluegold.development.thresholds import global_threshold, group_thresholds
from bluegold.development.verification.fairness import CRITERIA, group_rates


def _population(seed: int = 1, n: int = 12_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two groups; the scores of group b are pulled down, as a model does that has seen little of it."""
    random = np.random.default_rng(seed)
    groups = np.where(random.random(n) < 0.7, "a", "b")
    truth = random.normal(size=n)
    labels = truth + 0.4 * random.normal(size=n) > 0.8
    scores = 1 / (1 + np.exp(-3 * (truth - 0.8 - 0.5 * (groups == "b"))))
    return labels, scores, groups


def _parity(labels: np.ndarray, decided: np.ndarray, groups: np.ndarray, criterion: str) -> float:
    value = CRITERIA[criterion][0](group_rates(labels, decided, groups))
    assert value is not None
    return value


@pytest.mark.parametrize("criterion", ["equal_opportunity", "equalised_odds", "accuracy_parity"])
def test_group_thresholds_raise_parity_on_fresh_rows(criterion: str) -> None:
    labels, scores, groups = _population(1)
    found = group_thresholds(labels, scores, groups, criterion, 100)
    fresh, fresh_scores, fresh_groups = _population(2)
    plain = fresh_scores >= global_threshold(labels, scores)
    fair = fresh_scores >= np.array([found[g] for g in fresh_groups])
    assert _parity(fresh, fair, fresh_groups, criterion) > 95
    assert _parity(fresh, fair, fresh_groups, criterion) >= _parity(fresh, plain, fresh_groups, criterion) - 0.5
    assert (fair == fresh).mean() > (plain == fresh).mean() - 0.02


def test_equal_opportunity_needed_help_here() -> None:
    labels, scores, groups = _population(1)
    plain = scores >= global_threshold(labels, scores)
    assert _parity(labels, plain, groups, "equal_opportunity") < 75


def test_a_group_with_too_few_positives_keeps_the_global_threshold() -> None:
    labels, scores, groups = _population(1)
    groups = groups.copy()
    groups[np.nonzero(labels)[0][:20]] = "tiny"
    found = group_thresholds(labels, scores, groups, "equal_opportunity", 100)
    assert set(found) == {"a", "b"}


def test_the_global_threshold_is_one_half_unless_another_is_clearly_better() -> None:
    random = np.random.default_rng(4)
    scores = random.random(5_000)
    assert global_threshold(random.random(5_000) < scores, scores) == 0.5
    moved = global_threshold(random.random(5_000) < scores, scores * 0.5)
    assert 0.15 < moved < 0.35
