"""Parity between groups where the decision is one of several classes, or a number; 100 is alike."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["error_parity", "recall_parity"]


def recall_parity(labels: np.ndarray, decided: np.ndarray, groups: np.ndarray, min_group: int) -> dict[str, Any]:
    """``100 * min / max`` of each class's recall between the groups; the worst class counts.

    It is equal opportunity (Hardt, Price & Srebro 2016) held for every class.

    Args:
        labels: (n,) classes.
        decided: (n,) classes.
        groups: (n,) group names.
        min_group: rows of a class that a group must have to be judged by it.

    Example:
        >>> yes = np.array(["x", "x", "x", "x"])
        >>> recall_parity(yes, np.array(["x", "x", "x", "y"]), np.array(["a", "a", "b", "b"]), 2)["parity"]
        50.0
    """
    rates: dict[str, dict[str, float]] = {}
    worst: list[float] = []
    for label in np.unique(labels):
        mine = {str(g): (labels == label) & (groups == g) for g in np.unique(groups)}
        found = {g: float((decided[rows] == label).mean()) for g, rows in mine.items() if rows.sum() >= min_group}
        rates[str(label)] = found
        if len(found) > 1:
            worst.append(100.0 * min(found.values()) / max(found.values()) if max(found.values()) else 100.0)
    return {
        "criterion": "recall_parity",
        "parity": min(worst) if worst else None,
        "min_group": min_group,
        "classes_judged": len(worst),
        "recall": rates,
    }


def error_parity(errors: np.ndarray, groups: np.ndarray, min_group: int, *, shares: bool) -> dict[str, Any]:
    """``100 * min / max`` of the groups' mean errors, or of their accuracies where the errors are 0 and 1.

    Args:
        errors: (n,) absolute errors, or 0 and 1.
        groups: (n,) group names.
        min_group: rows a group must have to be judged.
        shares: whether the errors are 0 and 1.

    Example:
        >>> error_parity(np.array([1.0, 1.0, 2.0, 2.0]), np.array(["a", "a", "b", "b"]), 2, shares=False)["parity"]
        50.0
    """
    found, thin = {}, []
    for group in np.unique(groups):
        mine = errors[groups == group]
        if mine.size >= min_group:
            found[str(group)] = float(1.0 - mine.mean()) if shares else float(mine.mean())
        else:
            thin.append(str(group))
    largest = max(found.values(), default=0.0)
    return {
        "criterion": "accuracy_parity" if shares else "error_parity",
        "parity": None if len(found) < 2 else 100.0 * min(found.values()) / largest if largest else 100.0,
        "min_group": min_group,
        "too_small": tuple(thin),
        "groups": found,
    }
