"""Logistic and linear regression as a sum of terms in plain JSON: imputation, scaling and one-hot weights together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from bluegold.core.errors import DataError, RegistryError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["CategoryTerm", "LinearPredictor", "NumberTerm"]


class NumberTerm(msgspec.Struct, frozen=True, kw_only=True, tag="number", forbid_unknown_fields=True):
    """One numeric feature: ``weight * (x - mean) / scale``; a missing x counts as ``impute`` and adds ``missing``."""

    mean: float
    scale: float
    weight: float
    impute: float = 0.0
    missing: float = 0.0

    def row(self, value: float) -> float:
        """What one value adds to the margin."""
        if math.isnan(value):
            return self.weight * ((self.impute - self.mean) / self.scale) + self.missing
        return self.weight * ((value - self.mean) / self.scale)

    def column(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same for a column, operation by operation."""
        import numpy as np

        gone = np.isnan(values)
        filled = np.where(gone, self.impute, values)
        added: NDArray[np.float64] = self.weight * ((filled - self.mean) / self.scale)
        added[gone] += self.missing
        return added


class CategoryTerm(msgspec.Struct, frozen=True, kw_only=True, tag="category", forbid_unknown_fields=True):
    """One categorical feature: the weight of its code; ``other`` for a code that is unknown, missing or -1."""

    weights: tuple[float, ...]
    other: float = 0.0

    def row(self, value: float) -> float:
        """What one code adds to the margin."""
        return self.weights[int(value)] if 0 <= value < len(self.weights) else self.other

    def column(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same for a column."""
        import numpy as np

        table = np.array([*self.weights, self.other], dtype=np.float64)
        known = (values >= 0) & (values < len(self.weights))
        codes = np.where(known, values, len(self.weights)).astype(np.int64)
        return table[codes]


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    intercept: float
    terms: tuple[NumberTerm | CategoryTerm, ...]
    link: Literal["logit", "identity"] = "logit"


class LinearPredictor:
    """A logistic (or, with ``link="identity"``, a linear) regression over the columns of a feature matrix.

    Batch and row give bit-identical scores: both add the terms in column order in float64 and use the same scalar
    exponential.  It holds no mutable state, so threads may share it.

    Args:
        intercept: the margin of a row whose terms add nothing.
        terms: one per column, in matrix order.
        link: ``logit`` makes the margin a probability, ``identity`` leaves it the number it is.

    Raises:
        RegistryError: a number is not finite or a scale is zero.

    Example:
        >>> import numpy as np
        >>> model = LinearPredictor(
        ...     intercept=-1.0,
        ...     terms=(NumberTerm(mean=0.0, scale=2.0, weight=1.0), CategoryTerm(weights=(0.5, -0.5))),
        ... )
        >>> round(model.score_row([2.0, 0.0]), 6)
        0.622459
        >>> float(model.scores(np.array([[2.0, 0.0]]))[0]) == model.score_row([2.0, 0.0])
        True
    """

    outputs = 1
    shares = False

    def __init__(
        self,
        *,
        intercept: float,
        terms: Sequence[NumberTerm | CategoryTerm],
        link: Literal["logit", "identity"] = "logit",
    ) -> None:
        self._file = _File(intercept=float(intercept), terms=tuple(terms), link=link)
        self.family = "logistic" if link == "logit" else "linear"
        self._rows = tuple(term.row for term in self._file.terms)
        self.width = len(self._rows)
        for position, term in enumerate(self._file.terms):
            numbers = (*term.weights, term.other) if isinstance(term, CategoryTerm) else msgspec.structs.astuple(term)
            if not all(map(math.isfinite, numbers)) or (isinstance(term, NumberTerm) and term.scale == 0):
                raise RegistryError(
                    f"term {position} of a linear model cannot be used",
                    why="a number in it is not finite, or its scale is zero",
                    way_out="train it again",
                )
        if not math.isfinite(self._file.intercept):
            raise RegistryError("the intercept of a linear model is not finite", way_out="train it again")

    @property
    def terms(self) -> tuple[NumberTerm | CategoryTerm, ...]:
        """One a column, in matrix order."""
        return self._file.terms

    @classmethod
    def load(cls, data: bytes) -> LinearPredictor:
        """Read what :meth:`dump` wrote.

        Raises:
            RegistryError: the bytes are no such file.
        """
        try:
            file = msgspec.json.decode(data, type=_File)
        except msgspec.MsgspecError as error:
            raise RegistryError("this is no linear model", why=str(error), way_out="register it again") from error
        return cls(intercept=file.intercept, terms=file.terms, link=file.link)

    def scores(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities or numbers (n,) of a matrix (n, width).

        Raises:
            DataError: the matrix has another width.
        """
        import numpy as np

        margin = self.margins(matrix)
        if self._file.link == "identity":
            return margin
        return np.fromiter(map(_sigmoid, margin.tolist()), dtype=np.float64, count=len(matrix))

    def margins(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sums (n,) before the link."""
        import numpy as np

        if matrix.ndim != 2 or matrix.shape[1] != self.width:
            raise DataError(
                f"a matrix of shape {matrix.shape} does not fit", why=f"the model takes {self.width} columns"
            )
        margin = np.full(len(matrix), self._file.intercept)
        for position, term in enumerate(self._file.terms):
            margin += term.column(matrix[:, position])
        return margin

    def score_row(self, row: Sequence[float]) -> float:
        """The probability or number of one row.

        Raises:
            DataError: the row has another length.
        """
        margin = self.margin_row(row)
        return margin if self._file.link == "identity" else _sigmoid(margin)

    def margin_row(self, row: Sequence[float]) -> float:
        """The sum of one row before the link."""
        if len(row) != self.width:
            raise DataError(f"a row of {len(row)} values does not fit", why=f"the model takes {self.width}")
        margin = self._file.intercept
        for term, value in zip(self._rows, row, strict=True):
            margin += term(value)
        return margin

    def dump(self) -> bytes:
        """The model as JSON."""
        return msgspec.json.format(msgspec.json.encode(self._file), indent=1)


def _sigmoid(margin: float) -> float:
    if margin >= 0:
        return 1.0 / (1.0 + math.exp(-margin))
    power = math.exp(margin)
    return power / (1.0 + power)
