"""Calibration: chosen on rows it was not fitted on, the same bits for a row as for a batch, part of the version."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.naive_bayes import GaussianNB

import bluegold as bg
from bluegold.core.errors import DefinitionError, RegistryError
from bluegold.core.workspace import Workspace
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.gates import gate_1_model
from bluegold.development import develop
from bluegold.development.calibrating import FITS, calibrated, check_wish
from bluegold.development.measures.binary import log_loss
from bluegold.registry import Registry
from bluegold.registry.bundle import DecisionFile, load_bundle
from bluegold.registry.predictors.calibrated import CalibratedPredictor, Calibration, Isotonic, Platt
from bluegold.registry.predictors.softmax import LinearPredictor, SoftmaxPredictor

TRUE = np.random.default_rng(3).random(6000)
LABELS = np.random.default_rng(4).random(6000) < TRUE


@pytest.mark.parametrize("wrong", [lambda p: p**3, lambda p: 1 / (1 + (1 / p - 1) ** 3), lambda p: 0.4 + 0.1 * p])
@pytest.mark.parametrize("wish", ["auto", "isotonic", "platt"])
def test_wrong_scores_become_better_on_rows_that_had_no_part(wish: str, wrong: Callable[..., np.ndarray]) -> None:
    found = calibrated(wish, LABELS[:3000], wrong(TRUE[:3000]), 7)
    assert found.calibration is not None
    assert wish in {"auto", found.method}
    fresh = wrong(TRUE[3000:])
    before, after = (log_loss(LABELS[3000:], one) for one in (fresh, found.calibration.column(fresh)))
    assert after < before - 0.01
    assert after < log_loss(LABELS[3000:], TRUE[3000:]) + 0.02, "as good as the truth"
    order = found.calibration.column(np.linspace(0, 1, 500))
    assert (np.diff(order) >= 0).all(), "an order was turned around"
    assert 0 <= order.min() < order.max() <= 1


def test_right_scores_stay_as_they_are() -> None:
    assert calibrated("isotonic", LABELS, TRUE, 7).method == "none"
    few = calibrated("auto", LABELS[:60], TRUE[:60], 7)
    assert few.calibration is None
    assert "50 are needed" in few.reason


scores = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(seen=scores, asked=scores, slope=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3))
def test_a_row_has_the_bits_of_the_batch(seen: list[float], asked: list[float], slope: float, shift: float) -> None:
    labels = np.arange(len(seen)) % 2 == 0
    for made in (FITS["isotonic"](labels, np.array(seen)), Platt(slope=slope, shift=shift)):
        assert made.problem() == ""
        again: Calibration = msgspec.json.decode(msgspec.json.encode(made), type=Calibration)
        column = again.column(np.array([*asked, *seen])).tolist()
        assert column == [made.row(score) for score in [*asked, *seen]]
        assert all(0.0 <= value <= 1.0 for value in column)


@pytest.mark.parametrize(
    "bad",
    [
        Platt(slope=-1.0, shift=0.0),
        Platt(slope=1.0, shift=float("nan")),
        Isotonic(scores=(0.1,), shares=(0.1,)),
        Isotonic(scores=(0.1, 0.1), shares=(0.1, 0.2)),
        Isotonic(scores=(0.1, 0.2), shares=(0.3, 0.2)),
        Isotonic(scores=(0.1, 0.2), shares=(0.3, 1.2)),
    ],
)
def test_a_map_that_could_turn_an_order_around_is_refused(bad: Calibration) -> None:
    with pytest.raises(RegistryError, match="cannot be used"):
        CalibratedPredictor(LinearPredictor(intercept=0.0, terms=()), bad)


def test_several_classes_are_refused(machines: Callable[[], bg.System]) -> None:
    many = SoftmaxPredictor([LinearPredictor(intercept=0.0, terms=(), link="identity")] * 2)
    with pytest.raises(RegistryError, match="several scores"):
        CalibratedPredictor(many, Platt(slope=1.0, shift=0.0))
    system = machines()
    with pytest.raises(DefinitionError, match="is not known"):
        bg.System("x", contract=_contract(), target=system.target, calibration="temperature")
    with pytest.raises(DefinitionError, match="does not go with a multiclass target"):
        check_wish("auto", "multiclass")


def _contract() -> type[bg.Contract]:
    class Row(bg.Contract):
        x: float = bg.number()

    return Row


def test_it_is_part_of_the_version(machines: Callable[[], bg.System], workspace: Workspace, registry: Registry) -> None:
    system = machines()
    system.models = ()
    system.model("sklearn", estimator=GaussianNB(priors=[0.97, 0.03]))
    system.calibration = "auto"
    version = develop(system, workspace, registry, author="ada")
    bundle = load_bundle(registry, version.ref)
    assert isinstance(bundle.predictor, CalibratedPredictor)
    kept = DecisionFile.load(registry.versions.artefact(version.ref, "decision.json"))
    assert kept.calibration == bundle.predictor.calibration
    rows = np.array([record.matrix_row() for record in bundle.canaries])
    assert bundle.predictor.scores(rows).tolist() == [record.score for record in bundle.canaries]
    assert bundle.predictor.inner.scores(rows).tolist() != [record.score for record in bundle.canaries]
    choice = msgspec.json.decode(registry.versions.artefact(version.ref, "choice.json"))
    losses = choice["calibrating"]["log_loss"]
    assert losses[choice["calibration"]["method"]] == min(losses.values()) < losses["none"]
    candidate = Candidate(registry=registry, workspace=workspace, version=version, plan=system.plan, blue=None)
    shown = {measure.name: measure for measure in gate_1_model.check(candidate).measures}
    assert shown["log loss before calibration"].value > 0.0
    verified = msgspec.json.decode(registry.versions.artefact(version.ref, "verification.json"))
    found = verified["details"]["holdout"]["calibration"]
    assert found["log_loss"]["after"] < found["log_loss"]["before"]
    assert found["calibration_error"]["after"] == verified["calibration_error"] < found["calibration_error"]["before"]
