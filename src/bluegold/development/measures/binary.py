"""Measures of yes-or-no decisions.

Accuracy never stands alone: the share of the majority class and the balanced accuracy stand beside it.
The calibration error is the expected calibration error over equally filled bins (Naeini, Cooper &
Hauskrecht 2015; equal-mass bins after Nixon et al. 2019, *Measuring Calibration in Deep Learning*);
intervals are Wilson's (1927) for shares and Hanley & McNeil's (1982) for the area under the curve.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

__all__ = ["area_under_curve", "auc_error", "calibration", "log_loss", "quality", "wilson"]

BINS = 15
LEAST_IN_BIN = 30


def area_under_curve(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties half.

    Args:
        labels: (n,) booleans with both classes.
        scores: (n,) floats.

    Example:
        >>> area_under_curve(np.array([True, False, True]), np.array([0.9, 0.1, 0.1]))
        0.75
    """
    positives = np.sort(scores[labels])
    negatives = np.sort(scores[~labels])
    below = np.searchsorted(negatives, positives, side="left")
    up_to = np.searchsorted(negatives, positives, side="right")
    return float((below + up_to).sum() / (2.0 * positives.size * negatives.size))


def auc_error(auc: float, positives: int, negatives: int) -> float:
    """Standard error of an area under the curve (Hanley & McNeil 1982).

    Example:
        >>> round(auc_error(0.9, 100, 100), 4)
        0.0226
    """
    one = auc / (2.0 - auc)
    two = 2.0 * auc * auc / (1.0 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (one - auc * auc) + (negatives - 1) * (two - auc * auc)
    return float(np.sqrt(max(spread, 0.0) / (positives * negatives)))


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Confidence interval of a share (Wilson 1927).

    Example:
        >>> [round(side, 3) for side in wilson(0.9, 100)]
        [0.826, 0.945]
    """
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(centre - half), float(centre + half)


def calibration(
    labels: np.ndarray, scores: np.ndarray, bins: int = BINS
) -> tuple[float, list[tuple[float, float, int]]]:
    """Expected calibration error and its bins.

    Args:
        labels: (n,) booleans.
        scores: (n,) probabilities.
        bins: number of equally filled bins; fewer when there are not 30 rows for each.

    Returns:
        The mean distance between score and observed share, and (mean score, observed share, n) of every bin.

    Example:
        >>> calibration(np.array([True, False]), np.array([0.5, 0.5]))[0]
        0.0
    """
    order = np.argsort(scores, kind="stable")
    found = []
    edges = np.linspace(0, order.size, min(bins, max(order.size // LEAST_IN_BIN, 1)) + 1).astype(int)
    for low, high in itertools.pairwise(edges):
        rows = order[low:high]
        found.append((float(scores[rows].mean()), float(labels[rows].mean()), int(rows.size)))
    error = sum(n * abs(score - share) for score, share, n in found) / order.size
    return error, found


def quality(labels: np.ndarray, scores: np.ndarray, decided: np.ndarray) -> dict[str, Any]:
    """Every quality measure of one set of scored rows.

    Args:
        labels: (n,) booleans with both classes.
        scores: (n,) probabilities.
        decided: (n,) booleans.
    """
    positives, n = int(labels.sum()), int(labels.size)
    right = labels == decided
    accuracy, auc = float(right.mean()), area_under_curve(labels, scores)
    error, bins = calibration(labels, scores)
    return {
        "n": n,
        "positives": positives,
        "accuracy": accuracy,
        "accuracy_interval": wilson(accuracy, n),
        "auc": auc,
        "auc_standard_error": auc_error(auc, positives, n - positives),
        "balanced_accuracy": float((right[labels].mean() + right[~labels].mean()) / 2),
        "majority_class": max(positives, n - positives) / n,
        "calibration_error": error,
        "calibration_bins": bins,
        "brier": float(np.mean((scores - labels) ** 2)),
        "log_loss": log_loss(labels, scores, 1e-12),
        "confusion": {
            "true_positive": int((labels & decided).sum()),
            "false_positive": int((~labels & decided).sum()),
            "true_negative": int((~labels & ~decided).sum()),
            "false_negative": int((labels & ~decided).sum()),
        },
    }


def log_loss(labels: np.ndarray, scores: np.ndarray, least: float = 1e-9) -> float:
    """Mean negative log-likelihood of the labels; no score counts as surer than ``1 - least``.

    Example:
        >>> round(log_loss(np.array([True, False]), np.array([0.5, 0.5])), 4)
        0.6931
    """
    clipped = np.clip(scores, least, 1 - least)
    return float(-np.mean(np.where(labels, np.log(clipped), np.log(1 - clipped))))
