"""Fairness criteria against small cases worked out by hand, and laws over random decisions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegold.development.verification.fairness import (
    CRITERIA,
    accuracy_parity,
    demographic_parity,
    equal_opportunity,
    equalised_odds,
    group_rates,
    judge,
)

# group a: 4 positives, 3 found; 4 negatives, 1 called positive.  group b: 2 positives, 1 found; 2 negatives, 0 called.
LABELS = np.array([1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0], dtype=bool)
DECIDED = np.array([1, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0], dtype=bool)
GROUPS = np.array(list("aaaaaaaabbbb"))


def test_rates_of_each_group() -> None:
    a, b = group_rates(LABELS, DECIDED, GROUPS)
    assert (a.group, a.n, a.positives, a.tpr, a.fpr, a.accuracy, a.selected) == ("a", 8, 4, 0.75, 0.25, 0.75, 0.5)
    assert (b.group, b.n, b.positives, b.tpr, b.fpr, b.accuracy, b.selected) == ("b", 4, 2, 0.5, 0.0, 0.75, 0.25)


def test_criteria_worked_out_by_hand() -> None:
    rates = group_rates(LABELS, DECIDED, GROUPS)
    assert equal_opportunity(rates) == pytest.approx(100 * 0.5 / 0.75)
    assert equalised_odds(rates) == pytest.approx(75.0)
    assert accuracy_parity(rates) == pytest.approx(100.0)
    assert demographic_parity(rates) == pytest.approx(50.0)


def test_equalised_odds_sees_false_alarms_that_equal_opportunity_does_not() -> None:
    decided = DECIDED.copy()
    decided[[8, 9]] = [True, True]
    decided[3] = True  # both groups find every positive
    decided[[4, 5, 6, 7]] = True  # but all negatives of group a are called positive
    rates = group_rates(LABELS, decided, GROUPS)
    assert equal_opportunity(rates) == pytest.approx(100.0)
    assert equalised_odds(rates) == pytest.approx(0.0)


def test_small_groups_are_listed_and_not_judged() -> None:
    found = judge(group_rates(LABELS, DECIDED, GROUPS), "equal_opportunity", 3)
    assert found["too_small"] == ("b",)
    assert found["parity"] is None
    assert [rates.group for rates in found["groups"]] == ["a", "b"]


def test_a_group_without_positives_has_no_true_positive_rate() -> None:
    rates = group_rates(np.array([True, False]), np.array([True, False]), np.array(["a", "b"]))
    assert rates[1].tpr is None
    assert rates[0].fpr is None
    assert equal_opportunity(rates) is None
    assert equalised_odds(rates) is None


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("abc")), min_size=1, max_size=60))
def test_every_criterion_is_a_percentage_and_ignores_group_names(rows: list[tuple[bool, bool, str]]) -> None:
    labels, decided = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    groups = np.array([r[2] for r in rows])
    renamed = np.array([{"a": "x", "b": "y", "c": "z"}[g] for g in groups])
    for parity, _ in CRITERIA.values():
        value = parity(group_rates(labels, decided, groups))
        assert value is None or 0.0 <= value <= 100.0
        assert value == parity(group_rates(labels, decided, renamed))


@given(st.lists(st.booleans(), min_size=4, max_size=40))
def test_the_same_decisions_for_both_groups_are_full_parity(answers: list[bool]) -> None:
    labels = np.array([i % 2 == 0 for i in range(len(answers))])
    both = np.concatenate([labels, labels]), np.concatenate([answers, answers])
    groups = np.repeat(["a", "b"], len(answers))
    rates = group_rates(*both, groups)
    for parity, _ in CRITERIA.values():
        assert parity(rates) == pytest.approx(100.0)
