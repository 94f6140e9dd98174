"""Measures of decisions between several classes.

The macro AUC is the mean over the classes of one against the rest (Provost & Domingos 2000), so that a rare class
counts as much as a common one; calibration is that of the chosen class's probability (Guo et al. 2017).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bluegold.development.measures.binary import area_under_curve, calibration, wilson

__all__ = ["log_loss", "macro_auc", "quality", "recalls"]


def macro_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean area under the curve of each class against the rest; classes that all or no rows have are left out.

    Args:
        labels: (n,) positions of classes; -1 for a class that training never saw.
        scores: (n, classes) probabilities.

    Example:
        >>> macro_auc(np.array([0, 1, 2]), np.eye(3))
        1.0
    """
    found = []
    for place in range(scores.shape[1]):
        mine = labels == place
        if mine.any() and not mine.all():
            found.append(area_under_curve(mine, scores[:, place]))
    return float(np.mean(found)) if found else 0.5


def log_loss(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean negative logarithm of the true class's probability; an unseen class counts as probability 1e-9.

    Example:
        >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])), 4)
        0.6931
    """
    chance = np.where(labels >= 0, scores[np.arange(labels.size), np.maximum(labels, 0)], 0.0)
    return float(-np.mean(np.log(np.clip(chance, 1e-9, 1.0))))


def recalls(labels: np.ndarray, decided: np.ndarray, classes: int) -> dict[int, tuple[float, int]]:
    """Recall and number of rows of every class that rows have.

    Example:
        >>> recalls(np.array([0, 0, 1]), np.array([0, 1, 1]), 3)
        {0: (0.5, 2), 1: (1.0, 1)}
    """
    rows = {place: labels == place for place in range(classes)}
    return {place: (float((decided[r] == place).mean()), int(r.sum())) for place, r in rows.items() if r.any()}


def quality(labels: np.ndarray, scores: np.ndarray, names: tuple[str, ...]) -> dict[str, Any]:
    """Every quality measure of one set of scored rows.

    Args:
        labels: (n,) positions of classes; -1 for a class that training never saw.
        scores: (n, classes) probabilities.
        names: the classes.
    """
    decided, n = np.argmax(scores, axis=1), int(labels.size)
    right = decided == labels
    accuracy, found = float(right.mean()), recalls(labels, decided, len(names))
    error, bins = calibration(right, scores[np.arange(n), decided])
    known, counts = np.unique(labels, return_counts=True)
    return {
        "n": n,
        "classes": {names[place]: count for place, (_, count) in found.items()},
        "accuracy": accuracy,
        "accuracy_interval": wilson(accuracy, n),
        "auc": macro_auc(labels, scores),
        "balanced_accuracy": float(np.mean([share for share, _ in found.values()])),
        "majority_class": float(counts.max() / n),
        "calibration_error": error,
        "calibration_bins": bins,
        "log_loss": log_loss(labels, scores),
        "recall": {names[place]: share for place, (share, _) in found.items()},
        "unseen_class": int(counts[known < 0].sum()),
    }
