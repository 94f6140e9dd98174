"""Families that another library trains: served by its C interface or ONNX, with the comparison recorded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bluegold.core.errors import DefinitionError, RegistryError, StageError
from bluegold.development.families import Fitted, Training, family, xgboost
from bluegold.development.search import candidates
from bluegold.features.system import ModelChoice
from bluegold.registry.predictors import load_predictor
from bluegold.registry.rule import DecisionRule
from bluegold.security.artefact_scan import scan

TASKS = ("binary", "multiclass", "regression")


def training(task: str) -> Training:
    draw = np.random.default_rng(3)
    rows = draw.normal(size=(1200, 5)) * [1.0, 1e4, 1e-4, 1.0, 1.0]
    rows[:, 3] = draw.integers(-1, 6, 1200)
    rows[draw.random(rows.shape) < 0.05] = np.nan
    score = np.nan_to_num(rows[:, 0]) + np.nan_to_num(rows[:, 1]) / 1e4 + (rows[:, 3] > 2)
    kinds = ("number", "number", "number", "category", "number")
    if task == "regression":
        return Training(rows, score, kinds, rule=DecisionRule(task="regression"))
    if task == "multiclass":
        classes = np.digitize(score, [-1.0, 0.0, 1.5])
        return Training(rows, classes, kinds, rule=DecisionRule(task="multiclass", labels=("a", "b", "c", "d", "no")))
    return Training(rows, score > 0.5, kinds)


def fitted(name: str, rows: Training, **given: Any) -> Fitted:
    return family(name).fit(rows, family(name).settle(given), 7)


@pytest.mark.parametrize("task", TASKS)
def test_xgboost_is_served_with_the_bits_of_training(task: str) -> None:
    rows = training(task)
    rows.watch = rows.matrix[:400], rows.labels[:400]
    made = fitted("xgboost", rows, eta=0.2, n_estimators=30, max_depth=4)
    conversion = made.facts["conversion"]
    assert (conversion["rows"], conversion["changed_rows"], conversion["largest_difference"]) == (1200, 0, 0.0)
    served = load_predictor("xgboost", made.predictor.dump())
    strange = rows.matrix[:200].copy()
    strange[0], strange[1, 3], strange[2, 3], strange[3, :2] = np.nan, 99.0, -1.0, [1e300, -np.inf]
    alone = [served.score_row(row) for row in strange.tolist()]
    assert np.array(alone).tolist() == served.scores(strange).tolist()
    assert served.outputs == (5 if task == "multiclass" else 1)
    assert scan("model.json", served.dump()) == ()
    again = fitted("xgboost", rows, eta=0.2, n_estimators=30, max_depth=4)
    assert again.predictor.dump() == made.predictor.dump(), "not repeatable"
    refit = Training(rows.matrix, rows.labels, rows.kinds, rule=rows.rule)
    assert family("xgboost").fit(refit, made.params, 7).predictor.dump() == made.predictor.dump()


def test_xgboost_learns_from_unordered_categories() -> None:
    rows = training("binary")
    rows.labels = np.isin(rows.matrix[:, 3], [0, 2, 5])
    scores = fitted("xgboost", rows, n_estimators=20, max_depth=2).predictor.scores(rows.matrix)
    assert ((scores > 0.5) == rows.labels).mean() > 0.97


def test_an_xgboost_that_says_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = training("regression")

    class Nudged:
        def __init__(self, inner: Any) -> None:
            self.scores = lambda matrix: inner.scores(matrix) + 1e-9

    monkeypatch.setattr(xgboost, "load_predictor", lambda name, data: Nudged(load_predictor(name, data)))
    with pytest.raises(StageError, match="1,200 of 1,200 rows differ"):
        fitted("xgboost", rows, n_estimators=2)


def test_an_xgboost_for_something_else_is_refused() -> None:
    data = fitted("xgboost", training("binary"), n_estimators=2).predictor.dump()
    with pytest.raises(RegistryError, match="count:poisson"):
        load_predictor("xgboost", data.replace(b"binary:logistic", b"count:poisson"))
    with pytest.raises(RegistryError, match="refuses the model"):
        load_predictor("xgboost", data.replace(b'"gbtree"', b'"gbshrub"'))


SERVE = """
import sys
from pathlib import Path
from bluegold.registry.predictors import load_predictor
predictor = load_predictor("xgboost", Path(sys.argv[1]).read_bytes())
print(predictor.score_row([0.5] * predictor.width))
print(sorted({"xgboost", "pandas", "sklearn", "scipy", "polars"} & set(sys.modules)))
"""


def test_serving_xgboost_loads_the_library_alone(tmp_path: Path) -> None:
    predictor = fitted("xgboost", training("binary"), n_estimators=5).predictor
    path = tmp_path / "model.json"
    path.write_bytes(predictor.dump())
    done = subprocess.run([sys.executable, "-c", SERVE, str(path)], capture_output=True, text=True, check=True)
    score, modules = done.stdout.splitlines()
    assert float(score) == predictor.score_row([0.5] * 5)
    assert modules == "[]"


@pytest.mark.parametrize(
    ("task", "estimator"),
    [
        ("binary", GradientBoostingClassifier(n_estimators=15)),
        ("multiclass", make_pipeline(StandardScaler(), LogisticRegression())),
        ("regression", RandomForestRegressor(n_estimators=5, max_depth=5)),
    ],
)
def test_any_estimator_is_served_as_it_was_trained(task: str, estimator: Any) -> None:
    rows = training(task)
    made = fitted("sklearn", rows, estimator=estimator)
    assert made.facts["conversion"]["flipped"] <= 1
    served = load_predictor("onnx", made.predictor.dump())
    scores = served.scores(rows.matrix[:100])
    assert np.array([served.score_row(row) for row in rows.matrix[:100].tolist()]).tolist() == scores.tolist()
    assert fitted("sklearn", rows, estimator=estimator).predictor.dump() == served.dump(), "not repeatable"
    assert not hasattr(estimator, "classes_"), "the given estimator stays untrained"


def test_parameters_of_an_estimator_are_searched_by_their_names() -> None:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    choice = ModelChoice(family="sklearn", params={"estimator": pipeline}, search={"logisticregression__C": (0.1, 1.0)})
    found = candidates((choice,), 7)
    steps = [one.params["estimator"]["params"]["steps"] for one in found]
    assert [step[1]["tuple"][1]["params"]["C"] for step in steps] == [0.1, 1.0]


class Guess(ClassifierMixin, BaseEstimator):
    """Stands for an estimator of the user's own file."""


Guess.__module__ = "pipeline_of_a_user"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "needs an estimator"),
        ({"estimator": 3}, "needs an estimator"),
        ({"estimator": Guess()}, "not part of an installed package"),
        ({"estimator": KNeighborsClassifier(metric=max)}, "builtin_function"),
        ({"estimator": LogisticRegression(), "depth": 3}, "does not have that parameter"),
        ({"estimator": RandomForestRegressor()}, "is no classifier"),
        ({"estimator": RidgeClassifier()}, "gives no probabilities"),
        ({"estimator": KNeighborsClassifier()}, "'Scan', which may never end"),
    ],
)
def test_what_cannot_be_served_is_refused_in_training(given: dict[str, Any], why: str) -> None:
    with pytest.raises(DefinitionError, match=why):
        fitted("sklearn", training("binary"), **given)


@pytest.mark.parametrize("name", ["xgboost", "sklearn"])
def test_a_missing_library_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = {"xgboost": ("xgboost",), "sklearn": ("skl2onnx", "skl2onnx.common.data_types")}[name]
    for module in gone:
        monkeypatch.setitem(sys.modules, module, None)
    given = {"estimator": LogisticRegression()} if name == "sklearn" else {}
    with pytest.raises(DefinitionError) as refused:
        fitted(name, training("binary"), **given)
    assert refused.value.way_out.startswith('pip install "bluegold[')
