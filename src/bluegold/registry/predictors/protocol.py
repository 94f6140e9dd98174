"""What every predictor offers, and the table from family to loader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from bluegold.core.errors import RegistryError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FAMILIES", "Predictor", "load_predictor"]


@runtime_checkable
class Predictor(Protocol):
    """A trained binary classifier over a feature matrix.  One instance may be used by many threads."""

    @property
    def family(self) -> str:
        """Name in :data:`FAMILIES`."""

    @property
    def width(self) -> int:
        """How many features a row has."""

    def scores(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities in [0, 1], shape (n,), of a matrix (n, width); NaN stands for a missing number."""

    def score_row(self, row: Sequence[float]) -> float:
        """The probability of one row of ``width`` floats; bit-identical to :meth:`scores` of that row."""

    def dump(self) -> bytes:
        """The file that :func:`load_predictor` reads back."""


def _lightgbm(data: bytes) -> Predictor:
    from bluegold.registry.predictors.lightgbm_native import LightgbmPredictor

    return LightgbmPredictor(data)


def _logistic(data: bytes) -> Predictor:
    from bluegold.registry.predictors.linear import LinearPredictor

    return LinearPredictor.load(data)


#: family -> (file name of its artefact, loader).
FAMILIES: dict[str, tuple[str, Callable[[bytes], Predictor]]] = {
    "lightgbm": ("model.txt", _lightgbm),
    "logistic": ("model.json", _logistic),
}


def load_predictor(family: str, data: bytes) -> Predictor:
    """Load a predictor from the bytes of its artefact.

    Args:
        family: one of :data:`FAMILIES`.
        data: what ``dump`` gave.

    Raises:
        RegistryError: the family is not known, or the file is not one of that family.

    Example:
        >>> from bluegold.registry.predictors.linear import LinearPredictor, NumberTerm
        >>> model = LinearPredictor(intercept=0.0, terms=(NumberTerm(mean=1.0, scale=1.0, weight=2.0),))
        >>> load_predictor("logistic", model.dump()).score_row([1.0])
        0.5
    """
    entry = FAMILIES.get(family)
    if entry is None:
        raise RegistryError(
            f"no predictor of family '{family}'", way_out=f"known families are {', '.join(sorted(FAMILIES))}"
        )
    return entry[1](data)
