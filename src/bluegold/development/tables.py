"""The tables that stages exchange: columns ``f:<feature>``, ``y``, protected and slice columns, ``_row``, ``_time``."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import polars as pl

from bluegold.registry.predictors import Predictor, load_predictor
from bluegold.registry.predictors.calibrated import CalibratedPredictor, Calibration
from bluegold.registry.rule import DecisionRule

__all__ = ["FEATURE", "decide", "matrix_of", "model_of", "rule_of", "sample_rows", "thresholds_for"]

FEATURE = "f:"


def matrix_of(table: pl.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """The feature columns as one matrix.

    Args:
        table: holds ``f:<name>`` for every name.
        names: features in matrix order.

    Returns:
        (n, d) float64, row-major, NaN where a number is missing.

    Example:
        >>> matrix_of(pl.DataFrame({"f:a": [1.0, 2.0], "f:b": [0.0, None]}), ("b", "a")).tolist()
        [[0.0, 1.0], [nan, 2.0]]
    """
    columns = table.select(pl.col(f"{FEATURE}{name}").cast(pl.Float64).fill_null(float("nan")) for name in names)
    return np.ascontiguousarray(columns.to_numpy())


def sample_rows(table: pl.DataFrame, rows: int, seed: int) -> pl.DataFrame:
    """At most ``rows`` rows, drawn without replacement, in their order.

    Example:
        >>> sample_rows(pl.DataFrame({"x": range(10)}), 3, 7).height
        3
    """
    if table.height <= rows:
        return table
    chosen = np.random.default_rng(seed).choice(table.height, rows, replace=False)
    return table[np.sort(chosen)]


def model_of(choice: dict[str, Any], data: bytes) -> Predictor:
    """The trained model behind the ports ``choice`` and ``model``, calibrated where the choice says how."""
    predictor = load_predictor(choice["format"], data)
    if not choice.get("calibration"):
        return predictor
    return CalibratedPredictor(predictor, msgspec.convert(choice["calibration"], Calibration))


def rule_of(choice: dict[str, Any]) -> DecisionRule:
    """The decision rule on port ``choice``."""
    return msgspec.convert(choice["rule"], DecisionRule)


def thresholds_for(rule: DecisionRule, table: pl.DataFrame) -> np.ndarray:
    """The threshold of every row: its group's, or the global one where the group has none.

    Args:
        rule: a global threshold and, when ``group_by`` is set, thresholds by group.
        table: holds the column ``group_by`` then.

    Returns:
        (n,) float64.

    Example:
        >>> rule = DecisionRule(positive_label="late", threshold=0.5, group_by="origin", thresholds={"EWR": 0.4})
        >>> thresholds_for(rule, pl.DataFrame({"origin": ["EWR", "JFK", None]})).tolist()
        [0.4, 0.5, 0.5]
    """
    if not rule.group_by:
        return np.full(table.height, rule.threshold)
    groups = table[rule.group_by].cast(pl.String).fill_null("")
    known, values = list(rule.thresholds), list(rule.thresholds.values())
    if not known:
        return np.full(table.height, rule.threshold)
    return groups.replace_strict(known, values, default=rule.threshold, return_dtype=pl.Float64).to_numpy()


def decide(rule: DecisionRule, scores: np.ndarray, table: pl.DataFrame) -> np.ndarray:
    """The decisions on ``scores``: what ``DecisionRule.answer`` says row by row, for a whole table.

    Args:
        rule: thresholds.
        scores: (n,) probabilities or numbers, or (n, classes) probabilities.
        table: the rows the scores belong to.

    Returns:
        (n,) booleans, texts or numbers.
    """
    if rule.task != "binary":
        return rule.answers(scores)[0]
    decided: np.ndarray = scores >= thresholds_for(rule, table)
    return decided
