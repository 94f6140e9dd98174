"""The decision rule: alone and in a batch it decides alike, and its losses are fit for every task."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegold.registry.rule import DecisionRule

NUMBER = DecisionRule(task="regression", scale=4.0)
CLASSES = DecisionRule(task="multiclass", labels=("a", "b", "c"))
GROUPS = DecisionRule(threshold=0.5, group_by="g", thresholds={"x": 0.2, "y": 0.9})
SHARE = st.floats(0, 1)


@given(rows=st.lists(st.tuples(SHARE, SHARE, SHARE), min_size=1), names=st.data())
def test_a_batch_decides_as_rows_do(rows: list[tuple[float, float, float]], names: st.DataObject) -> None:
    matrix = np.array(rows)
    values, scores = CLASSES.answers(matrix)
    assert list(zip(values.tolist(), scores.tolist(), strict=True)) == [CLASSES.answer(row) for row in rows]
    groups = [names.draw(st.sampled_from(["x", "y", "z"])) for _ in rows]
    values, _ = GROUPS.answers(matrix[:, 0], groups)
    assert values.tolist() == [GROUPS.answer(row[0], group)[0] for row, group in zip(rows, groups, strict=True)]
    assert NUMBER.answers(matrix[:, 1])[0].tolist() == [NUMBER.answer(row[1])[0] for row in rows]


@given(value=st.floats(-1e9, 1e9), outcome=st.floats(-1e9, 1e9))
def test_losses_and_residuals_are_bounded(value: float, outcome: float) -> None:
    assert 0.0 <= NUMBER.loss(value, outcome) <= 1.0
    assert -1.0 <= NUMBER.residual(value, value, outcome) <= 1.0
    assert NUMBER.loss(value, value) == 0.0
    assert NUMBER.agree(value, value)


def test_an_outcome_is_read_as_the_task_means_it() -> None:
    assert CLASSES.loss("b", "b") == 0.0
    assert DecisionRule(task="multiclass", labels=("3", "7")).loss("7", 7.0) == 0.0
    assert DecisionRule(positive_label="late").loss(True, "late") == 0.0
    assert NUMBER.loss(10.0, "12") == 0.5
    with pytest.raises(ValueError, match="convert"):
        NUMBER.loss(10.0, "late")
