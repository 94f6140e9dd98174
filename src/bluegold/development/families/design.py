"""The design matrix of linear models: numbers standardised, categories one-hot, missing values marked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from bluegold.development.families.family import Training
from bluegold.registry.predictors.linear import CategoryTerm, NumberTerm

__all__ = ["Design"]


class Design:
    """The columns of a training matrix as a linear model sees them.

    Args:
        training: rows to learn from.

    Example:
        >>> design = Design(Training(np.array([[0.0, 1.0], [2.0, 0.0]]), np.array([1.0, 2.0]), ("number", "category")))
        >>> design.rows.toarray().tolist()
        [[-1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """

    def __init__(self, training: Training) -> None:
        self._columns = [
            _Category(training.matrix[:, index]) if kind == "category" else _Number(training.matrix[:, index])
            for index, kind in enumerate(training.kinds)
        ]
        self.rows = sparse.hstack([column.design() for column in self._columns], format="csr")

    def terms(self, weights: np.ndarray) -> Sequence[NumberTerm | CategoryTerm]:
        """The terms of a linear model, one a column of the matrix.

        Args:
            weights: one for each column of :attr:`rows`.
        """
        terms, start = [], 0
        for column in self._columns:
            terms.append(column.term(weights[start : start + column.width]))
            start += column.width
        return terms


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
