"""Paired comparison of two models on the same rows: differences with their confidence intervals."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

__all__ = ["Difference", "accuracy_difference", "auc_difference", "mean_difference"]

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Gold minus Blue.  ``low`` and ``high`` bound it at the asked level; ``blue`` is Blue's own value."""

    value: float
    low: float
    high: float
    blue: float
    n: int


def accuracy_difference(gold: Bools, blue: Bools, z: float = 1.96) -> Difference:
    """Difference of two accuracies on the same rows.

    Args:
        gold: (n,) whether Gold was right.
        blue: (n,) whether Blue was right.
        z: half width in standard errors; 1.96 is 95 %, the usual level of non-inferiority (ICH E9).

    Source: the paired (McNemar) variance with Agresti & Min's (2005) half-count correction.

    Example:
        >>> found = accuracy_difference(np.array([True] * 90 + [False] * 10), np.array([True] * 95 + [False] * 5))
        >>> round(found.value, 3), found.low < -0.05 < found.high
        (-0.05, True)
    """
    n = len(gold)
    if n == 0:
        return Difference(value=math.nan, low=-1.0, high=1.0, blue=math.nan, n=0)
    wins, losses = int((gold & ~blue).sum()), int((~gold & blue).sum())
    total = n + 2
    won, lost = (wins + 0.5) / total, (losses + 0.5) / total
    half = z * math.sqrt(max(won + lost - (won - lost) ** 2, 0.0) / total)
    middle = won - lost
    return Difference(value=(wins - losses) / n, low=middle - half, high=middle + half, blue=float(blue.mean()), n=n)


def mean_difference(gold: Array, blue: Array, z: float = 1.96) -> Difference:
    """Difference of two means over the same rows, for example of negative absolute errors (paired z interval).

    Args:
        gold: (n,) Gold's values, more is better.
        blue: (n,) Blue's.
        z: half width in standard errors.

    Example:
        >>> mean_difference(np.array([0.0, -1.0, -2.0]), np.array([-1.0, -2.0, -3.0])).low
        1.0
    """
    n = len(gold)
    if n < 2:
        return Difference(value=math.nan, low=-math.inf, high=math.inf, blue=math.nan, n=n)
    gain = gold - blue
    middle, half = float(gain.mean()), z * float(gain.std(ddof=1)) / math.sqrt(n)
    return Difference(value=middle, low=middle - half, high=middle + half, blue=float(blue.mean()), n=n)


def auc_difference(labels: Bools, gold: Array, blue: Array, z: float = 1.96) -> Difference:
    """Difference of two areas under the ROC curve on the same rows.

    Args:
        labels: (n,) with both classes.
        gold: (n,) Gold's scores.
        blue: (n,) Blue's scores.
        z: half width in standard errors.

    Source: DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44; midranks after Sun & Xu (2014), IEEE Signal
    Processing Letters 21(11).

    Example:
        >>> truth = np.array([True, False] * 50)
        >>> better = auc_difference(truth, np.where(truth, 0.9, 0.1), np.full(100, 0.5))
        >>> better.value, better.low > 0.4
        (0.5, True)
    """
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if min(positives, negatives) < 2:
        return Difference(value=math.nan, low=-1.0, high=1.0, blue=math.nan, n=len(labels))
    found = [_components(labels, scores) for scores in (gold, blue)]
    areas = [area for area, _, _ in found]
    by_positive = np.stack([one for _, one, _ in found])
    by_negative = np.stack([one for _, _, one in found])
    spread = np.cov(by_positive) / positives + np.cov(by_negative) / negatives
    variance = float(spread[0, 0] + spread[1, 1] - 2.0 * spread[0, 1])
    half = z * math.sqrt(max(variance, 0.0))
    value = areas[0] - areas[1]
    return Difference(value=value, low=value - half, high=value + half, blue=areas[1], n=len(labels))


def _components(labels: Bools, scores: Array) -> tuple[float, Array, Array]:
    """The area, and each row's share in it."""
    mine, others = scores[labels], scores[~labels]
    by_positive = (_midranks(scores)[labels] - _midranks(mine)) / len(others)
    by_negative = 1.0 - (_midranks(scores)[~labels] - _midranks(others)) / len(mine)
    return float(by_positive.mean()), by_positive, by_negative


def _midranks(values: Array) -> Array:
    """Rank of each value from 1; ties share the middle."""
    ordered = np.sort(values)
    first = np.searchsorted(ordered, values, side="left")
    last = np.searchsorted(ordered, values, side="right")
    ranks: Array = (first + last + 1) / 2.0
    return ranks
