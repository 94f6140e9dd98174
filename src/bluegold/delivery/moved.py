"""Features that moved: whether the model is still right where they moved to.

A stability index says that a distribution moved, not that it matters; on seasonal data it moves all the time.  So
a move beyond a feature's own placebo is judged by its consequence: in the bins that now hold more rows than they
did in training, the mean outcome must agree with the mean score.  For a class this is: how often the chosen class is
right must agree with its probability; for a number: outcomes must agree with predictions, in the target's deviations.

Source: the index as in Siddiqi (2006); judging a covariate shift by the model's calibration under it follows
Podkopaev & Ramdas (2022), Tracking the risk of a deployed model and detecting harmful distribution shifts, ICLR.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import numpy.typing as npt

from bluegold.features.profile import FeatureProfile, bins_of
from bluegold.registry.rule import DecisionRule

__all__ = ["Gap", "gap_over", "gap_where_moved", "residuals"]

Array = npt.NDArray[np.float64]

#: A bin has grown when it holds that much more than in training, as a ratio and as a share of all rows.
_GROWN, _BY = 1.5, 0.01
_ERRORS = 3.0
_LEAST = 100


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Mean outcome minus mean score where a feature moved to, its standard error, and over how many rows.

    For a predicted number in double deviations of the target, so that five points are a tenth of one.
    """

    value: float
    error: float
    n: int

    @property
    def harmful(self) -> bool:
        """Whether the gap is beyond five points for certain."""
        return self.n >= _LEAST and abs(self.value) - _ERRORS * self.error > TOLERATED

    @property
    def harmless(self) -> bool:
        """Whether the gap is within five points, with enough rows to say so."""
        return self.n >= _LEAST and abs(self.value) <= TOLERATED


#: The largest tolerated gap.
TOLERATED = 0.05


def residuals(labels: npt.NDArray[np.generic], scores: Array, rule: DecisionRule) -> Array:
    """(n,) outcome minus what was said of it, on one scale for every task.

    Args:
        labels: (n,) outcomes as the task encodes them.
        scores: (n,) probabilities or numbers, or (n, classes) probabilities.
        rule: of the version.

    Example:
        >>> residuals(np.array([True]), np.array([0.75]), DecisionRule()).tolist()
        [0.25]
        >>> residuals(np.array([1]), np.array([[0.25, 0.75]]), DecisionRule(task="multiclass")).tolist()
        [0.25]
    """
    if rule.task == "multiclass":
        right = (scores.argmax(axis=1) == labels).astype(np.float64)
        return np.asarray(right - scores.max(axis=1))
    unit = 2.0 * rule.scale if rule.task == "regression" else 1.0
    return np.asarray((labels.astype(np.float64) - scores) / unit)


def gap_where_moved(feature: FeatureProfile, column: Array, missed: Array) -> Gap:
    """The calibration gap over the rows in the bins that grew.

    Args:
        feature: the feature as training saw it.
        column: (n,) its values now.
        missed: (n,) of :func:`residuals`.
    """
    place = bins_of(column, feature.kind, feature.edges)
    now = np.bincount(place, minlength=len(feature.shares)) / max(len(column), 1)
    before = np.asarray(feature.shares)
    grown = (now > _GROWN * before) & (now - before > _BY)
    return gap_over(grown[place], missed)


def gap_over(rows: npt.NDArray[np.bool_], missed: Array) -> Gap:
    """The calibration gap over some rows.

    Args:
        rows: (n,) which.
        missed: (n,) of :func:`residuals`.
    """
    n = int(rows.sum())
    if n == 0:
        return Gap(value=math.nan, error=math.inf, n=0)
    return Gap(value=float(missed[rows].mean()), error=float(missed[rows].std()) / math.sqrt(n), n=n)
