"""Measures of predicted numbers, each beside what the naive answer (the same number for every row) reaches.

``skill`` is the share of the naive answer's mean absolute error that the model takes away (0: no better, 1: perfect);
the naive answer is the median of the very rows that are judged, the hardest constant to beat.  ``coverage`` is the
share of outcomes inside the 80 % interval that was fixed on validation rows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["COVERED", "interval", "quality", "r2"]

#: The share of outcomes that an interval is made to hold.
COVERED = 0.8
BINS = 15


def r2(labels: np.ndarray, scores: np.ndarray) -> float:
    """Share of the outcomes' variance that the predictions explain; 0 for the mean, below 0 for worse.

    Example:
        >>> r2(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0]))
        0.0
    """
    around = float(((labels - labels.mean()) ** 2).sum())
    return 1.0 - float(((labels - scores) ** 2).sum()) / around if around else 0.0


def interval(labels: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """What to add to a prediction so that :data:`COVERED` of the outcomes lie between (split conformal).

    Args:
        labels: (n,) outcomes of rows the model did not learn from.
        scores: (n,) its predictions.

    Example:
        >>> interval(np.arange(19.0), np.zeros(19))
        (1.0, 17.0)
    """
    missed, edge = np.sort(labels - scores), (1.0 - COVERED) / 2.0
    low = max(math.floor((missed.size + 1) * edge + 1e-9) - 1, 0)
    return float(missed[low]), float(missed[missed.size - 1 - low])


def quality(labels: np.ndarray, scores: np.ndarray, bounds: tuple[float, float]) -> dict[str, Any]:
    """Every quality measure of one set of predicted rows.

    Args:
        labels: (n,) outcomes.
        scores: (n,) predictions.
        bounds: what to add for the bounds of the 80 % interval.

    Example:
        >>> found = quality(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0, 5.0]), (-1.0, 1.0))
        >>> found["mae"], found["skill"], found["coverage"]
        (0.5, 0.5, 0.75)
    """
    missed = labels - scores
    mae, naive = float(np.abs(missed).mean()), float(np.abs(labels - np.median(labels)).mean())
    order = np.array_split(np.argsort(scores, kind="stable"), min(BINS, max(labels.size // 30, 1)))
    inside = (missed >= bounds[0]) & (missed <= bounds[1])
    return {
        "n": int(labels.size),
        "rmse": float(np.sqrt((missed**2).mean())),
        "mae": mae,
        "r2": r2(labels, scores),
        "naive_mae": naive,
        "skill": 1.0 - mae / naive if naive else 0.0,
        "bias": float(missed.mean()),
        "coverage": float(inside.mean()),
        "coverage_wanted": COVERED,
        "calibration_bins": [(float(scores[r].mean()), float(labels[r].mean()), int(r.size)) for r in order],
    }
