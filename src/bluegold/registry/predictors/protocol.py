"""What every predictor offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Predictor", "Score"]

#: What a predictor says of one row: a number, or a probability for each class.
Score = float | tuple[float, ...]


@runtime_checkable
class Predictor(Protocol):
    """A trained model over a feature matrix.  One instance may be used by many threads."""

    @property
    def family(self) -> str:
        """Name in the table of families."""

    @property
    def width(self) -> int:
        """How many features a row has."""

    @property
    def outputs(self) -> int:
        """1 for a probability or a number a row, else how many classes get a probability."""

    @property
    def shares(self) -> bool:
        """Whether a call costs much more than a row in it, so that rows which wait together should share one."""

    def scores(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities in [0, 1] or numbers, (n,), or (n, outputs) for several classes, of a matrix (n, width);
        NaN stands for a missing number."""

    def score_row(self, row: Sequence[float]) -> Score:
        """The same for one row of ``width`` floats, bit-identical: a float, or a tuple with one a class."""

    def dump(self) -> bytes:
        """The file that the family's loader reads back."""
