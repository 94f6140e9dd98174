"""Calibration: a map from what a model says to what it should have said, part of the version and of every score.

Two maps are known: Platt's (1999) sigmoid over the margin, and isotonic regression (Zadrozny & Elkan 2002) as knots
with straight lines between them.  Both never turn an order around.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from bluegold.core.errors import RegistryError
from bluegold.registry.predictors.protocol import Predictor, Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["CalibratedPredictor", "Calibration", "Isotonic", "Platt"]

#: no probability counts as surer than this before its margin is taken
EDGE = 1e-12


class Platt(msgspec.Struct, frozen=True, kw_only=True, tag="platt", tag_field="method", forbid_unknown_fields=True):
    """``1 / (1 + exp(-(slope * margin + shift)))``, where the margin is the log odds of the score."""

    slope: float
    shift: float

    def row(self, score: float) -> float:
        """What one score becomes."""
        kept = min(max(score, EDGE), 1.0 - EDGE)
        margin = self.slope * math.log(kept / (1.0 - kept)) + self.shift
        if margin >= 0.0:
            return 1.0 / (1.0 + math.exp(-margin))
        power = math.exp(margin)
        return power / (1.0 + power)

    def column(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same for many, by the same scalar functions."""
        import numpy as np

        return np.array([self.row(score) for score in scores.tolist()], dtype=np.float64)

    def problem(self) -> str:
        """What is wrong with it; empty when nothing is."""
        return "" if math.isfinite(self.shift) and 0.0 < self.slope < math.inf else "its slope is not above zero"


class Isotonic(
    msgspec.Struct, frozen=True, kw_only=True, tag="isotonic", tag_field="method", forbid_unknown_fields=True
):
    """Straight lines between knots ``(scores[i], shares[i])``; flat outside them."""

    scores: tuple[float, ...]
    shares: tuple[float, ...]

    def row(self, score: float) -> float:
        """What one score becomes."""
        place = bisect_right(self.scores, score) - 1
        if place < 0:
            return self.shares[0]
        if place >= len(self.scores) - 1:
            return self.shares[-1]
        low, high = self.scores[place], self.scores[place + 1]
        return self.shares[place] + (self.shares[place + 1] - self.shares[place]) * ((score - low) / (high - low))

    def column(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same for many, operation by operation."""
        import numpy as np

        at, shares = np.array(self.scores), np.array(self.shares)
        place = np.clip(np.searchsorted(at, scores, side="right") - 1, 0, len(at) - 2)
        low, high = at[place], at[place + 1]
        between = shares[place] + (shares[place + 1] - shares[place]) * ((scores - low) / (high - low))
        found: NDArray[np.float64] = np.where(
            scores < at[0], shares[0], np.where(scores >= at[-1], shares[-1], between)
        )
        return found

    def problem(self) -> str:
        """What is wrong with it; empty when nothing is."""
        if not len(self.scores) == len(self.shares) >= 2:
            return "it needs two knots or more"
        if not all(map(math.isfinite, (*self.scores, *self.shares))):
            return "a knot is not finite"
        rising = all(low < high for low, high in itertools.pairwise(self.scores))
        sorted_shares = all(low <= high for low, high in itertools.pairwise((0.0, *self.shares, 1.0)))
        return "" if rising and sorted_shares else "its knots do not rise"


Calibration = Platt | Isotonic


class CalibratedPredictor:
    """A predictor of one probability, and the map that its scores go through, for a batch as for a row.

    Its family and its file are those of the model inside; the map travels in the decision file of the version.

    Args:
        inner: what was trained.
        calibration: the map.

    Raises:
        RegistryError: the model gives several scores, or the map cannot be used.

    Example:
        >>> from bluegold.registry.predictors.linear import LinearPredictor, NumberTerm
        >>> model = LinearPredictor(intercept=0.0, terms=(NumberTerm(mean=0.0, scale=1.0, weight=1.0),))
        >>> surer = CalibratedPredictor(model, Platt(slope=2.0, shift=0.0))
        >>> round(model.score_row([1.0]), 3), round(surer.score_row([1.0]), 3)
        (0.731, 0.881)
    """

    def __init__(self, inner: Predictor, calibration: Calibration) -> None:
        problem = calibration.problem() or ("" if inner.outputs == 1 else "the model gives several scores")
        if problem:
            raise RegistryError("a calibration cannot be used", why=problem, way_out="develop the version again")
        self.inner, self.calibration = inner, calibration
        self.family, self.width, self.outputs, self.shares = inner.family, inner.width, inner.outputs, inner.shares

    def scores(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities (n,) of a matrix (n, width)."""
        return self.calibration.column(self.inner.scores(matrix))

    def score_row(self, row: Sequence[float]) -> Score:
        """The calibrated probability of one row."""
        said = self.inner.score_row(row)
        return said if isinstance(said, tuple) else self.calibration.row(said)

    def dump(self) -> bytes:
        """The file of the model inside."""
        return self.inner.dump()
