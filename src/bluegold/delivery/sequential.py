"""Confidence sequences: intervals that stay valid however often, and whenever, one looks at them.

A bettor who bets against "the mean is at least m" multiplies the capital by ``1 + bet * (m - x)`` at every
observation x.  If the statement is true this game is unfair to the bettor, so the capital exceeds ``1 / alpha``
at *any* moment, ever, with probability at most alpha (Ville 1939).  The upper bound is the smallest m that the
bettor has not yet made rich.  Capital is spread over a fixed fan of bets (the method of mixtures, Robbins 1970),
so it depends on the observations only through *counts*: nothing but counts has to survive a crash, and late or
re-ordered labels change nothing.  It is spread over restarts too, one for each rollout phase, so that a loss
which begins late is not diluted by a good past; half of it is on the first, because most bad candidates are bad
from the beginning.

A guardrail on a *paired* difference (Gold minus Blue on the same request) is broken when two things hold: it is
certain at level alpha that Gold is worse than Blue at all, and the measured loss lies beyond the tolerated one by
two standard errors.  The first half alone keeps the promise that a candidate which is no worse is taken back with
probability at most alpha, however often one looks; the second keeps a real but tolerated loss in the rollout.
Betting against "no worse" instead of "at most the tolerated loss worse" needs about a third of the labels.

No distribution, no independence is assumed: only that values are bounded and that the mean, given the past, keeps
to the statement that is tested.

Sources: Waudby-Smith & Ramdas (2024), Estimating means of bounded random variables by betting, JRSS-B 86(1);
Howard, Ramdas, McAuliffe & Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences, Annals
of Statistics 49(2); Johari, Koomen, Pekelis & Walsh (2022), Always valid inference, Operations Research 70(3);
restarts after Shin, Ramdas & Rinaldo (2024), E-detectors, New England Journal of Statistics in Data Science 2(2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "BETS",
    "FAIR_BETS",
    "ConfidenceSequence",
    "certainly_worse",
    "log_capital",
    "lower_bound",
    "start_weights",
    "upper_bound",
]

Array = npt.NDArray[np.float64]

#: Shares of the largest allowed bet.  A larger mean difference or a smaller variance wants a larger bet.
BETS: Array = np.geomspace(0.004, 0.98, 14)

#: Bets against "no worse": the share of losses among the requests on which the colours differ, less the share of
#: wins, that each is best at.  Smaller ones would only find losses that are tolerated anyway.
FAIR_BETS: Array = np.geomspace(0.05, 0.95, 7)

#: How many standard errors beyond its limit a loss must be measured.
_BEYOND = 2.0

_STEPS = 40


def log_capital(values: Array, counts: npt.NDArray[Any], mean: float, high: float, fan: npt.ArrayLike = BETS) -> Array:
    """Logarithm of the capital won against "the mean is at least ``mean``".

    Args:
        values: (v,) the values an observation may take, none above ``high``.
        counts: (..., v) how often each was seen.
        mean: the statement, below ``high``.
        high: the largest possible value.
        fan: (b,) shares of the largest allowed bet.

    Returns:
        (...) natural logarithms; log(1/alpha) or more rejects the statement.

    Source: Waudby-Smith & Ramdas (2024), section 4, with a fixed mixture of bets.

    Example:
        >>> against_one_half = log_capital(np.array([0.0, 1.0]), np.array([40, 0]), 0.5, 1.0)
        >>> bool(against_one_half > math.log(1000))
        True
    """
    bets = np.asarray(fan, dtype=np.float64) / (high - mean)
    gains = np.log1p(bets[:, None] * (mean - values[None, :]))
    return _log_mean(np.asarray(counts, dtype=np.float64) @ gains.T)


def start_weights(starts: int) -> Array:
    """(starts,) how the capital is divided: half on the first start, the rest evenly on the later ones.

    Example:
        >>> start_weights(3).tolist(), start_weights(1).tolist()
        ([0.5, 0.25, 0.25], [1.0])
    """
    if starts == 1:
        return np.ones(1)
    return np.array([0.5, *([0.5 / (starts - 1)] * (starts - 1))])


def certainly_worse(values: Array, since: npt.NDArray[Any], limit: float, alpha: float) -> npt.NDArray[np.bool_]:
    """Whether paired differences are certainly below zero, and measured beyond ``limit``.

    Only the capital of stretches whose measured mean lies beyond the limit by two standard errors counts; leaving
    capital out never makes a false alarm more likely.

    Args:
        values: (v,) the differences there may be, Gold minus Blue, none above 1.
        since: (..., j, v) counts since each of j starts; a start that lies ahead has zeros.
        limit: the tolerated mean, below zero.
        alpha: probability that a Gold which is no worse is ever called worse.

    Returns:
        (...) one answer for each look.

    Source: Waudby-Smith & Ramdas (2024), section 4; the practical margin as in tests of material difference.

    Example:
        >>> seen = np.array([[[60, 300, 0]], [[4, 356, 0]], [[60, 240, 60]]])
        >>> certainly_worse(np.array([-1.0, 0.0, 1.0]), seen, -0.01, 0.01).tolist()
        [True, False, False]
    """
    counts = np.asarray(since, dtype=np.float64)
    n = counts.sum(axis=-1)
    some = np.maximum(n, 1.0)
    mean = counts @ values / some
    variance = np.maximum(counts @ values**2 / some - mean**2, 1.0 / some)
    material = (n > 0) & (mean + _BEYOND * np.sqrt(variance / some) < limit)
    logs = log_capital(values, counts, 0.0, float(values[-1]), FAIR_BETS) + np.log(start_weights(n.shape[-1]))
    total: npt.NDArray[np.bool_] = np.logaddexp.reduce(
        np.where(material, logs, -np.inf), axis=-1, initial=-np.inf
    ) >= math.log(1.0 / alpha)
    return total


def _log_mean(logs: Array) -> Array:
    """log(mean(exp(logs))) over the last axis."""
    top = logs.max(axis=-1, keepdims=True)
    mean: Array = np.log(np.mean(np.exp(logs - top), axis=-1)) + top[..., 0]
    return mean


def _log_mixed(logs: Array) -> float:
    """log of the capital of all starts together, by their weights."""
    return float(np.logaddexp.reduce(logs + np.log(start_weights(len(logs)))))


def upper_bound(values: Array, windows: npt.NDArray[Any], limits: tuple[float, float], alpha: float) -> float:
    """The largest mean that the observations do not contradict; ``high`` when they contradict none.

    Args:
        values: (v,) the values an observation may take.
        windows: (j, v) counts since each of j starts; a start that lies ahead has zeros.
        limits: the smallest and the largest possible value.
        alpha: probability that the true mean is ever above the bound.

    Example:
        >>> round(upper_bound(np.array([0.0, 1.0]), np.array([[1000, 0]]), (0.0, 1.0), 0.01), 3)
        0.007
    """
    low, high = limits
    goal = math.log(1.0 / alpha)

    def rejected(mean: float) -> bool:
        return _log_mixed(log_capital(values, windows, mean, high)) >= goal

    outside, inside = high - 1e-9 * (high - low), low
    if not rejected(outside):
        return high
    if rejected(inside):
        return low
    for _ in range(_STEPS):
        middle = (outside + inside) / 2.0
        if rejected(middle):
            outside = middle
        else:
            inside = middle
    return outside


def lower_bound(values: Array, windows: npt.NDArray[Any], limits: tuple[float, float], alpha: float) -> float:
    """The smallest mean that the observations do not contradict: :func:`upper_bound`, mirrored.

    Example:
        >>> lower_bound(np.array([0.0, 1.0]), np.array([[0, 0]]), (0.0, 1.0), 0.01)
        0.0
    """
    low, high = limits
    return -upper_bound(-values, windows, (-high, -low), alpha) + 0.0


class ConfidenceSequence:
    """Counts of bounded observations in consecutive windows, and the bounds that follow from them.

    Args:
        values: the values an observation may take; the first and the last are the limits.
        starts: how many windows there will be at most; the capital is divided among them.

    Example:
        >>> loss = ConfidenceSequence((-1, 0, 1), starts=2)
        >>> loss.add(-1, 60); loss.add(0, 300)
        >>> loss.n, round(loss.mean, 3), loss.upper(0.01) < -0.08, loss.below(-0.01, alpha=0.01)
        (360, -0.167, True, True)
    """

    def __init__(self, values: Sequence[float], starts: int = 1) -> None:
        self.values: Array = np.asarray(sorted(values), dtype=np.float64)
        self._index = {float(value): place for place, value in enumerate(self.values)}
        self._limits = float(self.values[0]), float(self.values[-1])
        self._windows = np.zeros((starts, len(self.values)), dtype=np.int64)

    def add(self, value: float, count: int = 1, window: int = 0) -> None:
        """Count ``count`` observations of ``value``, made in the window with that number.

        A window beyond the last one counts into the last.
        """
        self._windows[min(window, len(self._windows) - 1), self._index[float(value)]] += count

    @property
    def n(self) -> int:
        """How many observations there are."""
        return int(self._windows.sum())

    @property
    def mean(self) -> float:
        """Their mean, NaN without any."""
        return float(self._windows.sum(axis=0) @ self.values) / self.n if self.n else math.nan

    def n_of(self, window: int) -> int:
        """How many observations were made in one window."""
        return int(self._windows[min(window, len(self._windows) - 1)].sum())

    def mean_of(self, window: int) -> float:
        """The mean of one window, NaN without observations."""
        row = self._windows[min(window, len(self._windows) - 1)]
        return float(row @ self.values) / int(row.sum()) if row.sum() else math.nan

    def beyond(self, limit: float, *, below: bool) -> tuple[float, int]:
        """Mean and count of the longest stretch up to now with its mean beyond ``limit``; of all without one."""
        for row in self._since():
            n = int(row.sum())
            if n and ((float(row @ self.values) / n < limit) == below):
                return float(row @ self.values) / n, n
        return self.mean, self.n

    def upper(self, alpha: float) -> float:
        """Upper bound at level ``alpha``, valid at every look."""
        return upper_bound(self.values, self._since(), self._limits, alpha)

    def lower(self, alpha: float) -> float:
        """Lower bound at level ``alpha``, valid at every look."""
        return lower_bound(self.values, self._since(), self._limits, alpha)

    def below(self, mean: float, alpha: float) -> bool:
        """Whether "the mean is at least ``mean``" is rejected at level ``alpha``."""
        return self._rejects(self.values, mean, self._limits[1], alpha)

    def above(self, mean: float, alpha: float) -> bool:
        """Whether "the mean is at most ``mean``" is rejected at level ``alpha``."""
        return self._rejects(-self.values, -mean, -self._limits[0], alpha)

    def worse(self, limit: float, alpha: float) -> bool:
        """Whether the mean is certainly below zero at level ``alpha``, and measured beyond ``limit``."""
        return bool(certainly_worse(self.values, self._since(), limit, alpha))

    def error_of(self, window: int) -> float:
        """Standard error of one window's mean (for deciding to wait, never to act), inf without observations."""
        row = self._windows[min(window, len(self._windows) - 1)]
        n = int(row.sum())
        if n == 0:
            return math.inf
        mean = float(row @ self.values) / n
        return math.sqrt(max(float(row @ (self.values - mean) ** 2) / n, 1.0 / n) / n)

    def _rejects(self, values: Array, mean: float, high: float, alpha: float) -> bool:
        span = self._limits[1] - self._limits[0]
        capital = log_capital(values, self._since(), min(mean, high - 1e-9 * span), high)
        return _log_mixed(capital) >= math.log(1.0 / alpha)

    def _since(self) -> npt.NDArray[np.int64]:
        """Counts from each window's start until now."""
        since: npt.NDArray[np.int64] = np.cumsum(self._windows[::-1], axis=0)[::-1]
        return since
