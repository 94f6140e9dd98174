"""Where a probability becomes a decision, chosen on the validation rows.

The global threshold is 0.5, the best choice for calibrated probabilities, unless another one is more
accurate by more than one standard error.  Thresholds by group are an explicit choice of the plan
(``fairness.thresholds_by``): they use the group at decision time.  They follow the post-processing of
Hardt, Price & Srebro (2016): first the thresholds that give every group the same share of found
positives, then a coordinate search for the plan's own criterion.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

__all__ = ["Curves", "global_threshold", "group_thresholds", "parity_of"]

GRID = 201
GOAL = 0.985
WEIGHT = 1.0


def global_threshold(labels: np.ndarray, scores: np.ndarray) -> float:
    """One threshold for all rows.

    Args:
        labels: (n,) booleans.
        scores: (n,) probabilities.

    Example:
        >>> global_threshold(np.array([True, False]), np.array([0.9, 0.1]))
        0.5
    """
    grid = np.unique(np.concatenate([[0.5], np.quantile(scores, np.linspace(0.0, 1.0, GRID))]))
    accuracy = _accuracies(labels, scores, grid)
    middle = float(accuracy[np.searchsorted(grid, 0.5)])
    best = int(np.argmax(accuracy))
    noise = float(np.sqrt(middle * (1.0 - middle) / labels.size))
    return float(grid[best]) if accuracy[best] > middle + noise else 0.5


def _accuracies(labels: np.ndarray, scores: np.ndarray, grid: np.ndarray) -> np.ndarray:
    found, false = _above(scores[labels], grid), _above(scores[~labels], grid)
    right: np.ndarray = (found + (int((~labels).sum()) - false)) / labels.size
    return right


def _above(scores: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """How many scores reach each threshold of the grid."""
    count: np.ndarray = scores.size - np.searchsorted(np.sort(scores), grid, side="left")
    return count


class Curves(msgspec.Struct, frozen=True, kw_only=True):
    """What every threshold of a grid does to one group: (g,) arrays of thresholds and counts."""

    grid: np.ndarray
    found: np.ndarray
    false: np.ndarray
    positives: int
    negatives: int


def _curves(labels: np.ndarray, scores: np.ndarray, common: float) -> Curves:
    quantiles = np.linspace(0.0, 1.0, GRID)
    grid = np.unique(np.concatenate([[common], np.quantile(scores[labels], quantiles), np.quantile(scores, quantiles)]))
    return Curves(
        grid=grid,
        found=_above(scores[labels], grid),
        false=_above(scores[~labels], grid),
        positives=int(labels.sum()),
        negatives=int((~labels).sum()),
    )


def parity_of(criterion: str, groups: list[Curves], at: np.ndarray) -> float:
    """Parity, 0 to 1, of the groups when group i uses threshold ``at[i]`` of its grid.

    Args:
        criterion: ``equal_opportunity``, ``equalised_odds`` or ``accuracy_parity``.
        groups: of every group.
        at: (g,) indices into the groups' grids.
    """
    tpr = [g.found[i] / g.positives for g, i in zip(groups, at, strict=True)]
    if criterion == "equal_opportunity":
        return min(tpr) / max(tpr) if max(tpr) > 0 else 1.0
    fpr = [g.false[i] / g.negatives for g, i in zip(groups, at, strict=True)]
    if criterion == "equalised_odds":
        return float(1.0 - max(max(tpr) - min(tpr), max(fpr) - min(fpr)))
    accuracy = [_right(g, i) / (g.positives + g.negatives) for g, i in zip(groups, at, strict=True)]
    return min(accuracy) / max(accuracy) if max(accuracy) > 0 else 1.0


def _right(group: Curves, index: int) -> int:
    return int(group.found[index] + group.negatives - group.false[index])


def group_thresholds(
    labels: np.ndarray, scores: np.ndarray, names: np.ndarray, criterion: str, min_group: int
) -> dict[str, float]:
    """A threshold for every group that has enough rows, so that errors are spread alike.

    Args:
        labels: (n,) booleans.
        scores: (n,) probabilities.
        names: (n,) group of every row.
        criterion: the plan's.
        min_group: positives (and negatives) a group needs; a smaller one keeps the global threshold.

    Returns:
        Group -> threshold; empty when fewer than two groups are large enough.

    Example:
        >>> yes, scores = np.array([True, False]), np.array([0.9, 0.1])
        >>> group_thresholds(yes, scores, np.array(["a", "b"]), "equal_opportunity", 5)
        {}
    """
    common = global_threshold(labels, scores)
    curves: dict[str, Curves] = {}
    for name in np.unique(names):
        mine = names == name
        positives = int(labels[mine].sum())
        if min(positives, int(mine.sum()) - positives) >= min_group:
            curves[str(name)] = _curves(labels[mine], scores[mine], common)
    if len(curves) < 2:
        return {}
    groups = list(curves.values())
    total = sum(g.positives + g.negatives for g in groups)

    def worth(at: np.ndarray) -> float:
        right = sum(_right(g, i) for g, i in zip(groups, at, strict=True))
        return right / total - WEIGHT * max(0.0, GOAL - parity_of(criterion, groups, at))

    at = _climb(groups, _alike(groups, worth, common), worth)
    return {name: float(curve.grid[index]) for (name, curve), index in zip(curves.items(), at, strict=True)}


def _alike(groups: list[Curves], worth: Callable[[np.ndarray], float], common: float) -> np.ndarray:
    """The best of: everybody the global threshold, or everybody the same share of found positives."""
    starts = [np.array([int(np.searchsorted(g.grid, common)) for g in groups])]
    starts += [np.array([_reach(g, share) for g in groups]) for share in np.linspace(0.02, 1.0, 120)]
    return max(starts, key=worth)


def _reach(group: Curves, share: float) -> int:
    """The highest threshold that still finds ``share`` of the positives."""
    reached = np.nonzero(group.found >= share * group.positives)[0]
    return int(reached[-1]) if reached.size else 0


def _climb(groups: list[Curves], at: np.ndarray, worth: Callable[[np.ndarray], float]) -> np.ndarray:
    """Move one group's threshold at a time while that helps."""
    best = worth(at)
    for _ in range(6):
        before = best
        for index, group in enumerate(groups):
            for step in range(group.grid.size):
                tried = at.copy()
                tried[index] = step
                value = worth(tried)
                if value > best + 1e-12:
                    at, best = tried, value
        if best <= before + 1e-6:
            break
    return at
