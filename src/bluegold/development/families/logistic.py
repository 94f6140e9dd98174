"""Logistic regression with an L2 penalty: numbers standardised, categories one-hot, missing values marked."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from bluegold.development.families.family import Fitted, Training
from bluegold.registry.predictors.linear import CategoryTerm, LinearPredictor, NumberTerm

__all__ = ["ALIASES", "DEFAULTS", "fit"]

DEFAULTS: dict[str, Any] = {"C": 1.0, "max_iter": 200}
ALIASES: dict[str, str] = {"c": "C"}


class _Number:
    """One number in the design matrix: its standardised value and, where values are missing, a mark."""

    def __init__(self, column: np.ndarray) -> None:
        known = column[np.isfinite(column)]
        self.mean = float(known.mean()) if known.size else 0.0
        spread = float(known.std()) if known.size else 0.0
        self.scale = spread if spread > 0.0 else 1.0
        gone = np.isnan(column)
        scaled = np.where(gone, 0.0, (column - self.mean) / self.scale)
        self.parts = [scaled[:, None], gone[:, None].astype(float)] if gone.any() else [scaled[:, None]]
        self.width = len(self.parts)

    def term(self, weights: np.ndarray) -> NumberTerm:
        missing = float(weights[1]) if self.width > 1 else 0.0
        return NumberTerm(mean=self.mean, scale=self.scale, weight=float(weights[0]), impute=self.mean, missing=missing)

    def design(self) -> sparse.csr_matrix:
        return sparse.csr_matrix(np.hstack(self.parts))


class _Category:
    """One category in the design matrix: a column for each code seen."""

    def __init__(self, column: np.ndarray) -> None:
        self.codes = np.where(np.isfinite(column) & (column >= 0), column, -1).astype(np.int64)
        self.width = max(int(self.codes.max()) + 1, 1)

    def term(self, weights: np.ndarray) -> CategoryTerm:
        return CategoryTerm(weights=tuple(weights.tolist()))

    def design(self) -> sparse.csr_matrix:
        rows = np.nonzero(self.codes >= 0)[0]
        ones = np.ones(rows.size)
        return sparse.csr_matrix((ones, (rows, self.codes[rows])), shape=(self.codes.size, self.width))


def fit(training: Training, params: dict[str, Any], seed: int) -> Fitted:
    """Train one model; it does not watch, because its parameters do not depend on when it stops.

    Args:
        training: rows and labels.
        params: all of :data:`DEFAULTS`.
        seed: unused by this solver, which makes no random choice; taken so that families are alike.

    Example:
        >>> rows = np.array([[0.0], [1.0], [2.0], [3.0]])
        >>> fitted = fit(Training(rows, np.array([False, False, True, True]), ("number",)), DEFAULTS, 7)
        >>> bool(fitted.predictor.score_row([3.0]) > 0.5)
        True
    """
    columns = [
        _Category(training.matrix[:, index]) if kind == "category" else _Number(training.matrix[:, index])
        for index, kind in enumerate(training.kinds)
    ]
    design = sparse.hstack([column.design() for column in columns], format="csr")
    solver = LogisticRegression(C=float(params["C"]), max_iter=int(params["max_iter"]), tol=1e-4, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the search judges the result, not the last digit
        solver.fit(design, training.labels)
    terms, start = [], 0
    for column in columns:
        terms.append(column.term(solver.coef_[0, start : start + column.width]))
        start += column.width
    return Fitted(predictor=LinearPredictor(intercept=float(solver.intercept_[0]), terms=terms), params=dict(params))
