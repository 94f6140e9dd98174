"""Multinomial logistic regression: one sum of terms a class in plain JSON, and the softmax over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from bluegold.core.errors import RegistryError
from bluegold.registry.predictors.linear import LinearPredictor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SoftmaxPredictor"]


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    classes: tuple[msgspec.Raw, ...]


class SoftmaxPredictor:
    """A probability for each of several classes, from one linear margin a class.

    Batch and row give bit-identical scores: the margins are, and both use the same scalar softmax.

    Args:
        margins: one a class, in the order of the labels.

    Raises:
        RegistryError: there are fewer than two, or their widths differ.

    Example:
        >>> from bluegold.registry.predictors.linear import NumberTerm
        >>> up, down = (NumberTerm(mean=0.0, scale=1.0, weight=w) for w in (1.0, -1.0))
        >>> model = SoftmaxPredictor([LinearPredictor(intercept=0.0, terms=(term,)) for term in (up, down)])
        >>> [round(score, 4) for score in model.score_row([0.5])]
        [0.7311, 0.2689]
    """

    family = "softmax"
    shares = False

    def __init__(self, margins: Sequence[LinearPredictor]) -> None:
        if len(margins) < 2 or len({margin.width for margin in margins}) != 1:
            raise RegistryError("a softmax model needs two classes or more, all of one width", way_out="train it again")
        self._margins = tuple(margins)
        self.width, self.outputs = margins[0].width, len(margins)

    @classmethod
    def load(cls, data: bytes) -> SoftmaxPredictor:
        """Read what :meth:`dump` wrote.

        Raises:
            RegistryError: the bytes are no such file.
        """
        try:
            file = msgspec.json.decode(data, type=_File)
        except msgspec.MsgspecError as error:
            raise RegistryError("this is no softmax model", why=str(error), way_out="register it again") from error
        return cls([LinearPredictor.load(bytes(one)) for one in file.classes])

    def scores(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities (n, classes) of a matrix (n, width)."""
        import numpy as np

        margins = np.column_stack([margin.margins(matrix) for margin in self._margins])
        return np.array([_softmax(row) for row in margins.tolist()]).reshape(len(matrix), self.outputs)

    def score_row(self, row: Sequence[float]) -> tuple[float, ...]:
        """The probabilities of one row, one a class."""
        return _softmax([margin.margin_row(row) for margin in self._margins])

    def dump(self) -> bytes:
        """The model as JSON."""
        return msgspec.json.encode(_File(classes=tuple(msgspec.Raw(margin.dump()) for margin in self._margins)))


def _softmax(margins: list[float]) -> tuple[float, ...]:
    largest = max(margins)
    powers = [math.exp(margin - largest) for margin in margins]
    total = sum(powers)
    return tuple([power / total for power in powers])
