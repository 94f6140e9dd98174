"""PyTorch's networks; PyTorch is large, so these tests run where it is installed."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from bluegold.core.errors import DefinitionError
from bluegold.development.families import Training, family
from bluegold.registry.predictors import load_predictor
from bluegold.registry.rule import DecisionRule
from bluegold.security.artefact_scan import scan

pytestmark = pytest.mark.slow


def training(task: str) -> Training:
    draw = np.random.default_rng(3)
    rows = draw.normal(size=(1000, 4)) * [1.0, 1e4, 1e-4, 1.0]
    rows[draw.random(rows.shape) < 0.05] = np.nan
    score = np.nan_to_num(rows[:, 0]) + np.nan_to_num(rows[:, 1]) / 1e4
    labels: Any = {"binary": score > 0.3, "multiclass": np.digitize(score, [-0.5, 0.8]), "regression": 50 + 7 * score}
    rule = DecisionRule(task=task, labels=("a", "b", "c") if task == "multiclass" else ())
    watch = rows[:300], labels[task][:300]
    return Training(rows, labels[task], ("number",) * 4, watch, rule)


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_network_is_served_as_it_was_trained(task: str, own: bool) -> None:
    torch = pytest.importorskip("torch")
    rows = training(task)
    outputs = 3 if task == "multiclass" else 1
    module = torch.nn.Sequential(
        torch.nn.Linear(4, 16),
        torch.nn.BatchNorm1d(16),
        torch.nn.Tanh(),
        torch.nn.Dropout(0.1),
        torch.nn.Linear(16, outputs),
    )
    kind = family("torch")
    params = kind.settle({"epochs": 25, **({} if own else {"module": module})})
    fitted = kind.fit(rows, params, 7)
    assert fitted.facts["conversion"]["flipped"] <= 1
    served = load_predictor("onnx", fitted.predictor.dump())
    assert scan("model.onnx", served.dump()) == ()
    scores = served.scores(rows.matrix[:200])
    assert np.array([served.score_row(row) for row in rows.matrix[:200].tolist()]).tolist() == scores.tolist()
    known = rows.labels[:200]
    if task == "regression":
        right = 1 - ((scores - known) ** 2).mean() / rows.labels.var()
    else:
        right = ((scores.argmax(axis=1) if task == "multiclass" else scores > 0.5) == known).mean()
    assert right > 0.8
    assert kind.fit(rows, params, 7).predictor.dump() == served.dump(), "not repeatable"


def test_a_module_of_another_width_is_refused() -> None:
    torch = pytest.importorskip("torch")
    kind = family("torch")
    with pytest.raises(DefinitionError, match="cannot be trained or converted"):
        kind.fit(training("binary"), kind.settle({"module": torch.nn.Linear(9, 1)}), 7)
    with pytest.raises(DefinitionError, match="is of type int"):
        kind.settle({"module": 3})


def test_a_missing_torch_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    kind = family("torch")
    with pytest.raises(DefinitionError) as refused:
        kind.fit(training("binary"), kind.settle({}), 7)
    assert refused.value.way_out == 'pip install "bluegold[torch]"'
