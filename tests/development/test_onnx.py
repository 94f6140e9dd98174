"""Families through ONNX Runtime: the served model decides as the trained one, and foreign graphs are refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bluegold.core.errors import StageError
from bluegold.development.families import Training, family, through_onnx
from bluegold.registry.predictors import load_predictor
from bluegold.registry.rule import DecisionRule
from bluegold.security.artefact_scan import scan

onnx = pytest.importorskip("onnx")
WIDTH = 5
SMALL = {**through_onnx.FOREST, "n_estimators": 5, "max_depth": 4}


def training(task: str) -> Training:
    draw = np.random.default_rng(3)
    rows = draw.normal(size=(1500, WIDTH)) * [1.0, 1e4, 1e-4, 1.0, 1.0]
    rows[:, 3] = draw.integers(-1, 6, 1500)
    rows[draw.random(rows.shape) < 0.05] = np.nan
    score = np.nan_to_num(rows[:, 0]) + np.nan_to_num(rows[:, 1]) / 1e4 + (rows[:, 3] > 2)
    kinds = ("number", "number", "number", "category", "number")
    if task == "regression":
        return Training(rows, score, kinds, rule=DecisionRule(task="regression"))
    if task == "multiclass":
        classes = np.digitize(score, [-1.0, 0.0, 1.5])
        return Training(
            rows, classes, kinds, rule=DecisionRule(task="multiclass", labels=("a", "b", "c", "d", "never"))
        )
    return Training(rows, score > 0.5, kinds)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("name", ["random_forest", "extra_trees", "neural_network"])
def test_serving_decides_as_training_did(name: str, task: str) -> None:
    kind, rows = family(name), training(task)
    few = {"max_iter": 15} if name == "neural_network" else {"n_estimators": 15}
    fitted = kind.fit(rows, kind.settle(few), 7)
    found = fitted.facts["conversion"]
    assert found["flipped"] <= 1
    assert 0.0 < found["largest_difference"] < 1e-4, "float32 against float64"
    served = load_predictor("onnx", fitted.predictor.dump())
    scores = served.scores(rows.matrix[:300])
    assert scores.tolist() == np.array([served.score_row(row) for row in rows.matrix[:300].tolist()]).tolist()
    assert scan("model.onnx", served.dump()) == ()
    assert kind.fit(rows, kind.settle(few), 7).predictor.dump() == fitted.predictor.dump(), "not repeatable"
    if task == "multiclass":
        assert scores.shape == (300, 5)
        assert (scores[:, 4] == 0.0).all()


def test_a_conversion_that_flips_decisions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(through_onnx, "FLIPS", -1.0)
    with pytest.raises(StageError, match="decides otherwise"):
        through_onnx.fit_forest(training("binary"), SMALL, 7)


def model() -> object:
    return onnx.load_from_string(through_onnx.fit_forest(training("binary"), SMALL, 7).predictor.dump())


def test_graphs_of_strangers_are_refused() -> None:
    outside, custom, endless, functions = (model() for _ in range(4))
    tensor = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [0.0])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    outside.graph.initializer.append(tensor)
    custom.graph.node.append(onnx.helper.make_node("Shell", ["rows"], ["y"], domain="com.evil"))
    endless.graph.node.append(onnx.helper.make_node("Loop", ["", "", "rows"], ["z"], body=endless.graph))
    functions.functions.add().name = "f"
    for made, why in ((outside, "other files"), (custom, "com.evil"), (endless, "never end"), (functions, "functions")):
        [problem] = scan("model.onnx", made.SerializeToString())
        assert why in problem
    sound = model().SerializeToString()
    for cut in (1, len(sound) // 2, len(sound) - 1):
        assert scan("model.onnx", sound[:cut]) == ("it is not ONNX",)
    assert "program" in scan("model.onnx", b"\x7fELF" + sound)[0]


def test_serving_loads_neither_pandas_nor_scikit_learn(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(through_onnx.fit_forest(training("binary"), SMALL, 7).predictor.dump())
    code = f"""
import sys
from bluegold.registry.predictors import load_predictor
predictor = load_predictor("onnx", open({str(path)!r}, "rb").read())
print(predictor.score_row([0.5] * predictor.width))
assert not {{"sklearn", "pandas", "polars", "onnx", "skl2onnx"}} & set(sys.modules), sorted(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert 0.0 <= float(done.stdout) <= 1.0
