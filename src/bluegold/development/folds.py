"""Folds for the search: every configuration is judged on several held-out parts of the training rows.

Without time the rows are dealt out by chance (k-fold, Stone 1974).  With time each fold learns from what lies before
its part only (rolling origin, Tashman 2000), because a random fold would learn from the future.
"""

from __future__ import annotations

import numpy as np

from bluegold.development.families import Training

__all__ = ["folded", "places"]


def places(rows: int, folds: int, order: np.ndarray | None, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and rows to judge by, a pair a fold.

    Args:
        rows: how many there are.
        folds: how many pairs, 2 or more.
        order: row numbers in order of time; None deals the rows out by chance.
        seed: of chance.

    Example:
        >>> [(learn.tolist(), judge.tolist()) for learn, judge in places(6, 2, np.arange(6), 7)]
        [([0, 1], [2, 3]), ([0, 1, 2, 3], [4, 5])]
        >>> sorted(np.concatenate([judge for _, judge in places(6, 3, None, 7)]).tolist())
        [0, 1, 2, 3, 4, 5]
    """
    if order is not None:
        parts = np.array_split(order, folds + 1)
        return [(np.sort(np.concatenate(parts[:end])), np.sort(parts[end])) for end in range(1, folds + 1)]
    parts = np.array_split(np.random.default_rng(seed).permutation(rows), folds)
    rest = [np.concatenate([*parts[:place], *parts[place + 1 :]]) for place in range(folds)]
    return [(np.sort(learn), np.sort(judge)) for learn, judge in zip(rest, parts, strict=True)]


def folded(training: Training, folds: int, order: np.ndarray | None, seed: int) -> list[Training]:
    """The training of every fold, which watches the fold's own rows; the training itself when there are no folds.

    Args:
        training: rows to learn from.
        folds: 0 for none.
        order: row numbers in order of time, or None.
        seed: of chance.
    """
    if folds < 2:
        return [training]
    matrix, labels = training.matrix, training.labels
    return [
        Training(matrix[learn], labels[learn], training.kinds, (matrix[judge], labels[judge]), training.rule)
        for learn, judge in places(labels.size, folds, order, seed)
    ]
