"""The chain guard: stops callers whose queries circle around one record, as attacks on the boundary of a model do.

An attack that only sees answers walks along the boundary between two of them in small steps, hundreds for one record.
The guard remembers a caller's latest queries; one that is nearly a repetition of another counts up, any other counts
down, and at the limit further queries of that caller are refused for a while.  An exact repetition is a retry and
counts as nothing.  Every worker counts by itself.

Source: Chen, Jordan & Wainwright (2020), HopSkipJumpAttack; Chen, Carlini & Wagner (2019), stateful detection.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bluegold.production.messages import Problem

__all__ = ["LIMIT", "ChainGuard"]

KEPT = 32
LIMIT = 30
"""Near-repetitions, less other queries, after which a caller is refused; a worker's share of fewer than a hundred."""

NEAR = 0.5
PAUSE_S = 60.0
CALLERS = 4_096
LEAST = 8


class _Caller:
    """The latest queries of one caller, how far a chain has come, and until when nothing is answered."""

    __slots__ = ("chained", "kept", "place", "until")

    def __init__(self, width: int) -> None:
        self.kept: NDArray[np.float64] = np.full((KEPT, width), np.inf)
        self.place = self.chained = 0
        self.until = 0.0


class ChainGuard:
    """Counts near-repetitions caller by caller.

    Args:
        known: model inputs of natural records, which say what near means; with fewer than 8 the guard sees nothing.
        columns: the features it looks at.
        clock: seconds, monotonic.

    Example:
        >>> draw = np.random.default_rng(1)
        >>> guard = ChainGuard(draw.normal(size=(40, 3)).tolist(), (0, 1, 2))
        >>> for row in draw.normal(size=(200, 3)).tolist():
        ...     guard.check("shop", row)
        >>> for row in (draw.normal(size=(200, 3)) * 0.01).tolist():
        ...     guard.check("thief", row)
        Traceback (most recent call last):
        ...
        bluegold.production.messages.Problem: too many queries about nearly the same record...
    """

    def __init__(
        self, known: Sequence[Sequence[float]], columns: Sequence[int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._columns = np.array(columns, dtype=np.intp)
        natural = np.nan_to_num(np.array(known, dtype=np.float64).reshape(len(known), -1))[:, self._columns]
        spread = natural.std(axis=0) if len(natural) else np.ones(len(columns))
        self._scale = np.where(spread > 0, spread, 1.0)
        self._near = _near(natural / self._scale) if len(natural) >= LEAST else 0.0
        self._callers: OrderedDict[str, _Caller] = OrderedDict()

    def check(self, caller: str, vector: Sequence[float]) -> None:
        """Count one query.

        Raises:
            Problem: 429, the caller has to wait.
        """
        state = self._callers.get(caller)
        if state is None:
            state = self._callers[caller] = _Caller(len(self._columns))
            if len(self._callers) > CALLERS:
                self._callers.popitem(last=False)
        if state.until > self._clock():
            raise _refusal(state.until - self._clock())
        row = np.nan_to_num(np.array(vector, dtype=np.float64)[self._columns]) / self._scale
        step = state.kept - row
        nearest = float(np.einsum("ij,ij->i", step, step).min())
        if nearest == 0.0:
            return
        state.kept[state.place] = row
        state.place = (state.place + 1) % KEPT
        state.chained = state.chained + 1 if nearest < self._near else max(0, state.chained - 1)
        if state.chained >= LIMIT:
            state.chained, state.until = 0, self._clock() + PAUSE_S
            raise _refusal(PAUSE_S)


def _near(natural: NDArray[np.float64]) -> float:
    """Half the usual distance of a natural record to the nearest other one, squared."""
    apart = ((natural[:, None, :] - natural[None, :, :]) ** 2).sum(axis=2)
    apart[apart < 1e-12] = np.inf
    nearest = apart.min(axis=1)
    known = nearest[np.isfinite(nearest)]
    return float(np.median(known)) * NEAR**2 if known.size else 0.0


def _refusal(seconds: float) -> Problem:
    return Problem(
        429,
        "too many queries about nearly the same record",
        way_out="wait, or ask an operator",
        headers=(("retry-after", str(max(1, round(seconds)))),),
    )
