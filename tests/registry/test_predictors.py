"""Predictors: batch, row and the library that trained them give the same bits, without that library loaded."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegold.core.errors import DataError, RegistryError
from bluegold.development.families import Training, through_onnx, xgboost
from bluegold.registry.predictors import FAMILIES, Predictor, load_predictor
from bluegold.registry.predictors.ensemble import EnsemblePredictor, Member
from bluegold.registry.predictors.linear import CategoryTerm, LinearPredictor, NumberTerm
from bluegold.registry.predictors.softmax import SoftmaxPredictor

WIDTH = 6


def matrix(rows: int, seed: int = 3) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, WIDTH)) * 10.0 ** random.integers(-3, 6, size=(rows, WIDTH))
    values[:, 2] = random.integers(-1, 9, rows)  # a category: codes 0 to 7, -1 and 8 are unknown
    values[random.random((rows, WIDTH)) < 0.05] = np.nan
    values[0] = np.nan
    values[1, :2] = [np.inf, -np.inf]
    return values


@pytest.fixture(scope="module")
def booster() -> lightgbm.Booster:
    rows = matrix(4000)
    filled = np.nan_to_num(rows, posinf=0, neginf=0)
    labels = ((filled[:, 0] > 0) ^ (filled[:, 2] % 3 == 1)).astype(float)
    options = {"objective": "binary", "verbosity": -1, "num_leaves": 31, "seed": 1, "num_threads": 1}
    return lightgbm.train(options, lightgbm.Dataset(rows, labels, categorical_feature=[2]), 40)


LINEAR = LinearPredictor(
    intercept=-0.25,
    terms=(
        NumberTerm(mean=0.1, scale=3.0, weight=0.7, impute=0.1, missing=-0.3),
        NumberTerm(mean=1e5, scale=1e5, weight=-1.1, impute=2.0),
        CategoryTerm(weights=(0.1, -0.2, 0.3, -0.4, 0.5, -0.6, 0.7, 0.8), other=-0.05),
        *(NumberTerm(mean=0.0, scale=1.0 + n, weight=0.3 * n) for n in range(3)),
    ),
)


def grown() -> bytes:
    """A small forest in ONNX."""
    rows = matrix(400)
    training = Training(rows, np.nan_to_num(rows[:, 0]) > 0, ("number",) * WIDTH)
    return through_onnx.fit_forest(training, {**through_onnx.FOREST, "n_estimators": 8}, 7).predictor.dump()


def boosted() -> bytes:
    """A few trees of XGBoost."""
    rows = matrix(400)
    training = Training(rows, np.nan_to_num(rows[:, 0]) > 0, ("number", "number", "category", *["number"] * 3))
    return xgboost.fit(training, {**xgboost.DEFAULTS, "n_estimators": 8}, 7).predictor.dump()


def joined() -> bytes:
    """Two models that answer as one."""
    members = [
        Member(ref="m:v1", digest="1", family="logistic", weight=0.25, data=LINEAR.dump()),
        Member(ref="m:v2", digest="2", family="xgboost", weight=0.75, data=boosted()),
    ]
    return EnsemblePredictor(tuple(members), load_predictor, probabilities=True).dump()


OTHERS = {
    "ensemble": joined(),
    "linear": LinearPredictor(intercept=0.5, terms=LINEAR.terms, link="identity").dump(),
    "onnx": grown(),
    "softmax": SoftmaxPredictor(
        [LinearPredictor(intercept=i, terms=LINEAR.terms, link="identity") for i in (0.0, 0.5, -0.5)]
    ).dump(),
    "xgboost": boosted(),
}


@pytest.fixture(params=sorted(FAMILIES))
def predictor(request: pytest.FixtureRequest, booster: lightgbm.Booster) -> Predictor:
    data = {"lightgbm": booster.model_to_string().encode(), "logistic": LINEAR.dump(), **OTHERS}[request.param]
    return load_predictor(request.param, data)


@pytest.fixture
def rows() -> np.ndarray:
    values = matrix(3000, seed=4)
    values[1, :2] = [1e300, -1e300]  # an infinite margin is tested apart: a linear model may give inf - inf
    return values


def test_a_row_has_the_bits_of_the_batch(predictor: Predictor, rows: np.ndarray) -> None:
    scores = predictor.scores(rows)
    assert scores.shape == ((len(rows),) if predictor.outputs == 1 else (len(rows), predictor.outputs))
    assert scores.dtype == np.float64
    assert predictor.family == "linear" or ((scores >= 0) & (scores <= 1)).all()
    alone = [predictor.score_row(row) for row in rows.tolist()]
    assert np.array(alone).tolist() == scores.tolist()
    assert predictor.scores(rows[::2]).tolist() == scores[::2].tolist()
    assert predictor.scores(np.asfortranarray(rows)).tolist() == scores.tolist()


def test_a_dumped_predictor_is_the_same(predictor: Predictor, rows: np.ndarray) -> None:
    again = load_predictor(predictor.family, predictor.dump())
    assert again.family == predictor.family
    assert again.width == predictor.width == WIDTH
    assert again.dump() == predictor.dump()
    assert again.scores(rows).tolist() == predictor.scores(rows).tolist()


def test_nothing_is_scored_as_nothing(predictor: Predictor) -> None:
    assert predictor.scores(np.empty((0, WIDTH))).shape == ((0,) if predictor.outputs == 1 else (0, predictor.outputs))


def test_input_of_the_wrong_shape_is_refused(predictor: Predictor) -> None:
    for bad in ([0.0] * (WIDTH - 1), [0.0] * (WIDTH + 1), []):
        with pytest.raises(DataError, match=f"takes {WIDTH}"):
            predictor.score_row(bad)
        with pytest.raises(DataError, match=f"takes {WIDTH}"):
            predictor.scores(np.array([bad]))


def test_threads_share_a_predictor(predictor: Predictor, rows: np.ndarray) -> None:
    expected = predictor.scores(rows).tolist()
    wrong: list[int] = []

    def score() -> None:
        got = np.array([predictor.score_row(row) for row in rows.tolist()]).tolist()
        wrong.append(sum(a != b for a, b in zip(got, expected, strict=True)))

    threads = [threading.Thread(target=score) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [0] * 4


def test_a_file_of_another_kind_is_refused() -> None:
    bad = {
        "ensemble": [b"", b"{}", b'{"probabilities": true, "members": []}'],
        "lightgbm": [b"", b"tree\nnonsense", b"\x80\x04.", b"tree\n\x00"],
        "linear": [b"", b"[]"],
        "onnx": [b"", b"\x08\x08", b"{}"],
        "xgboost": [b"", b"{}", b'{"learner": {}}'],
        "softmax": [b"", b'{"classes": []}', b'{"classes": [1, 2]}'],
        "logistic": [b"", b"{}", b'{"intercept": 1, "terms": [{"type": "x"}]}', b'{"intercept": null, "terms": []}'],
    }
    assert set(bad) == set(FAMILIES)
    for family, files in bad.items():
        for data in files:
            with pytest.raises(RegistryError):
                load_predictor(family, data)
    with pytest.raises(RegistryError, match="ensemble, lightgbm, linear, logistic"):
        load_predictor("oracle", b"")


def test_lightgbm_gives_the_bits_that_training_saw(booster: lightgbm.Booster) -> None:
    rows = matrix(3000, seed=5)
    native = load_predictor("lightgbm", booster.model_to_string().encode())
    expected = booster.predict(rows)
    assert native.scores(rows).tolist() == expected.tolist()
    assert [native.score_row(row) for row in rows.tolist()] == expected.tolist()


def test_a_booster_for_something_else_is_refused() -> None:
    rows = matrix(300)
    options = {"objective": "poisson", "verbosity": -1, "num_threads": 1}
    other = lightgbm.train(options, lightgbm.Dataset(rows, np.arange(300.0)), 2)
    with pytest.raises(RegistryError, match="objective is not one of"):
        load_predictor("lightgbm", other.model_to_string().encode())


SERVE = """
import sys
from pathlib import Path
from bluegold.registry.predictors import load_predictor
predictor = load_predictor("lightgbm", Path(sys.argv[1]).read_bytes())
print(predictor.score_row([0.5] * predictor.width))
print(sorted({"lightgbm", "pandas", "sklearn", "scipy", "polars"} & set(sys.modules)))
"""


def test_serving_loads_neither_the_training_package_nor_pandas(booster: lightgbm.Booster, tmp_path: Path) -> None:
    path = tmp_path / "model.txt"
    path.write_text(booster.model_to_string())
    done = subprocess.run([sys.executable, "-c", SERVE, str(path)], capture_output=True, text=True, check=True)
    score, modules = done.stdout.splitlines()
    assert modules == "[]"
    assert float(score) == booster.predict(np.full((1, WIDTH), 0.5))[0]


numbers = st.floats(allow_infinity=False, width=64) | st.just(float("nan"))
finite = st.floats(-1e6, 1e6)


@given(
    intercept=finite,
    weights=st.lists(finite, min_size=0, max_size=4),
    term=st.builds(NumberTerm, mean=finite, scale=st.floats(1e-3, 1e6), weight=finite, impute=finite, missing=finite),
    values=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8),
)
def test_any_linear_model_scores_rows_as_batches(
    intercept: float, weights: list[float], term: NumberTerm, values: list[tuple[float, float]]
) -> None:
    model = LinearPredictor(intercept=intercept, terms=(term, CategoryTerm(weights=tuple(weights), other=1.5)))
    with np.errstate(all="ignore"):
        batch = model.scores(np.array(values)).tolist()
    single = [model.score_row(list(value)) for value in values]
    assert np.array_equal(batch, single, equal_nan=True)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_linear_model_with_a_number_that_is_none_is_refused(bad: float) -> None:
    for terms in ((NumberTerm(mean=bad, scale=1.0, weight=1.0),), (CategoryTerm(weights=(1.0, bad)),)):
        with pytest.raises(RegistryError, match="term 0"):
            LinearPredictor(intercept=0.0, terms=terms)
    with pytest.raises(RegistryError, match="intercept"):
        LinearPredictor(intercept=bad, terms=())
    with pytest.raises(RegistryError, match="scale is zero"):
        LinearPredictor(intercept=0.0, terms=(NumberTerm(mean=0.0, scale=0.0, weight=1.0),))
