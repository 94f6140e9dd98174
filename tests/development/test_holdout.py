"""Quality measures against independent implementations and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, log_loss, roc_auc_score

from bluegold.development.verification.explainability import kappa, rules, surrogate
from bluegold.development.verification.holdout import area_under_curve, calibration, quality, wilson
from bluegold.features.fields import ContractSpec
from bluegold.features.specs import ProgramSpec

rows = st.lists(st.tuples(st.booleans(), st.floats(0, 1).map(lambda x: round(x, 2))), min_size=4, max_size=80)


@given(rows)
def test_quality_agrees_with_scikit_learn(found: list[tuple[bool, float]]) -> None:
    labels, scores = np.array([r[0] for r in found]), np.array([r[1] for r in found])
    assume(labels.any() and not labels.all())
    measured = quality(labels, scores, scores >= 0.5)
    assert measured["auc"] == pytest.approx(roc_auc_score(labels, scores))
    assert measured["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, scores >= 0.5))
    assert measured["brier"] == pytest.approx(brier_score_loss(labels, scores))
    clipped = np.clip(scores, 1e-12, 1 - 1e-12)
    assert measured["log_loss"] == pytest.approx(log_loss(labels, clipped), abs=1e-9)
    assert sum(measured["confusion"].values()) == labels.size
    assert measured["majority_class"] >= 0.5


@given(rows)
def test_the_area_does_not_depend_on_the_scale_of_scores(found: list[tuple[bool, float]]) -> None:
    labels, scores = np.array([r[0] for r in found]), np.array([r[1] for r in found])
    assume(labels.any() and not labels.all())
    assert area_under_curve(labels, scores) == pytest.approx(area_under_curve(labels, np.exp(3 * scores)))
    assert area_under_curve(labels, scores) == pytest.approx(1 - area_under_curve(~labels, scores))


def test_calibration_error_is_small_when_scores_tell_the_truth_and_large_when_they_do_not() -> None:
    random = np.random.default_rng(3)
    scores = random.random(20_000)
    labels = random.random(20_000) < scores
    honest, bins = calibration(labels, scores)
    assert honest < 0.02
    assert sum(n for _, _, n in bins) == 20_000
    boastful, _ = calibration(labels, np.where(scores > 0.5, 1.0, 0.0))
    assert boastful == pytest.approx(0.25, abs=0.02)


def test_wilson_interval_stays_inside_zero_and_one() -> None:
    assert wilson(1.0, 10)[1] == pytest.approx(1.0)
    low, high = wilson(0.5, 10_000)
    assert low == pytest.approx(0.4902, abs=1e-4)
    assert high == pytest.approx(0.5098, abs=1e-4)


def test_a_surrogate_repeats_simple_decisions_and_copes_with_gaps() -> None:
    random = np.random.default_rng(5)
    matrix = random.normal(size=(2_000, 3))
    matrix[random.random((2_000, 3)) < 0.1] = np.nan
    decisions = np.nan_to_num(matrix[:, 1], nan=5.0) > 0.3
    tree = surrogate(matrix, decisions, 7)
    assert (tree.predict(matrix.astype(np.float32)) == decisions).mean() > 0.99
    assert tree.get_depth() <= 5


def test_kappa_of_chance_is_zero_and_of_agreement_one() -> None:
    one = np.array([True, True, False, False])
    assert kappa(one, one) == 1.0
    assert kappa(one, np.array([True, False, True, False])) == pytest.approx(0.0)


def test_rules_name_levels_not_codes() -> None:
    matrix = np.column_stack([np.tile([0.0, 1.0, 2.0, -1.0], 200), np.linspace(0, 10, 800)])
    tree = surrogate(matrix, matrix[:, 0] >= 1, 7)
    program = ProgramSpec(
        system="t",
        contract=ContractSpec(name="T", description="", fields=()),
        time="",
        names=("maker", "heat"),
        kinds=("category", "number"),
        expressions=(),
        vocabularies={"maker": ("acme", "bolt", "cog")},
    )
    assert rules(tree, program) == [
        "maker in (acme, unknown): positive in 0.0% of 400 rows",
        "maker in (bolt, cog): positive in 100.0% of 400 rows",
    ]
