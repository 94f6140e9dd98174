"""How far one model input alone explains the outcome, and what a model reaches without some of them.

Both are measured crosswise on the hold-out: what is learned from one half is judged on the other, so that an input
with as many values as rows explains nothing by itself.  One scale serves all tasks: the area under the curve for a
yes or no, its mean over the classes, and the share of variance explained for a number.

Source: Kaufman, Rosset, Perlich & Stitelman (2012), Leakage in Data Mining, ACM TKDD 6(4): an input that explains
nearly everything is the first place to look; Lei et al. (2018), Distribution-Free Predictive Inference for
Regression, JASA 113: leaving an input out and learning again (LOCO) is what its absence costs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bluegold.development.measures.binary import area_under_curve
from bluegold.development.tasks import TaskKind, task_of
from bluegold.registry.rule import DecisionRule

__all__ = ["CHANCE", "alone", "learned"]

Matrix = npt.NDArray[np.float64]

#: What knowing nothing reaches, by task.
CHANCE = {"binary": 0.5, "multiclass": 0.5, "regression": 0.0}
_BINS = 64
_ROWS = 5_000
_PARAMS = {"num_iterations": 60, "num_leaves": 15, "min_data_in_leaf": 10}


def alone(column: Matrix, kind: str, labels: npt.NDArray[np.generic], rule: DecisionRule) -> float:
    """How well one input alone tells the outcome, whatever the shape of the relation.

    Args:
        column: (n,) its values; NaN (missing) is a value of its own.
        kind: ``number`` or ``category``.
        labels: (n,) as the task encodes them.
        rule: of the version; names the task and its classes.

    Returns:
        Area under the curve (1 is all, 0.5 nothing), its mean over classes, or share of variance explained.

    Example:
        >>> x = np.random.default_rng(0).uniform(-1, 1, 2_000)
        >>> number = DecisionRule(task="regression")
        >>> alone(x, "number", np.abs(x), number) > 0.99, alone(x[::-1], "number", x, number) < 0.1
        (True, True)
    """
    task = task_of(rule)
    found = task.goodness(labels, _crosswise(column, kind, labels, task))
    if kind != "number" or task.name == "multiclass":
        return found
    filled = np.where(np.isnan(column), -np.inf, column)
    if task.name == "binary":
        area = area_under_curve(labels.astype(bool), filled)
        return max(found, area, 1.0 - area)
    known = np.isfinite(column)
    ranks = _ranks(filled), _ranks(labels.astype(np.float64))
    straight = _square(column[known], labels[known].astype(np.float64)) * float(known.mean())
    return max(found, straight, _square(*ranks))


def learned(matrix: Matrix, kinds: tuple[str, ...], labels: npt.NDArray[np.generic], rule: DecisionRule) -> float:
    """What a model of small trees reaches with these inputs, on the same scale as :func:`alone`.

    Args:
        matrix: (n, d) model inputs; at most 5,000 rows of it are used.
        kinds: ``number`` or ``category`` of each.
        labels: (n,) as the task encodes them.
        rule: of the version.
    """
    from bluegold.development.families import lightgbm  # half of a controller's start, and resuming ones never train
    from bluegold.development.families.family import Training

    task = task_of(rule)
    if matrix.shape[1] == 0:
        return CHANCE[task.name]
    if len(matrix) > _ROWS:
        rows = np.random.default_rng(0).choice(len(matrix), _ROWS, replace=False)
        matrix, labels = matrix[rows], labels[rows]
    halves = _halves(len(matrix))
    scores: Matrix | None = None
    for fold in (0, 1):
        mine, other = halves != fold, halves == fold
        training = Training(matrix[mine], labels[mine], kinds, rule=rule)
        told = np.asarray(lightgbm.fit(training, {**lightgbm.DEFAULTS, **_PARAMS}, 0).predictor.scores(matrix[other]))
        if scores is None:
            scores = np.zeros((len(matrix), *told.shape[1:]))
        scores[other] = told
    return task.goodness(labels, np.asarray(scores))


def _halves(rows: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(1).permutation(rows) % 2


def _crosswise(column: Matrix, kind: str, labels: npt.NDArray[np.generic], task: TaskKind) -> Matrix:
    """What the input's bin says about the outcome, learned from the other half of the rows."""
    if task.name == "multiclass":
        targets = (labels[:, None] == np.arange(len(task.naive(np.maximum(labels, 0), 1)[0]))).astype(np.float64)
    else:
        targets = labels.astype(np.float64)[:, None]
    bins, halves, scores = _binned(column, kind), _halves(len(column)), np.zeros(targets.shape)
    for fold in (0, 1):
        mine = halves != fold
        counts = np.bincount(bins[mine], minlength=int(bins.max()) + 1)
        mean = targets[mine].mean(axis=0)
        for place in range(targets.shape[1]):
            sums = np.bincount(bins[mine], weights=targets[mine, place], minlength=len(counts))
            scores[~mine, place] = ((sums + mean[place]) / (counts + 1.0))[bins[~mine]]
    return scores if task.name == "multiclass" else scores[:, 0]


def _binned(column: Matrix, kind: str) -> npt.NDArray[np.int64]:
    if kind == "category":
        places: npt.NDArray[np.int64] = np.unique(column, return_inverse=True)[1]
        return places
    known = column[np.isfinite(column)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])) if known.size else np.empty(0)
    return np.where(np.isnan(column), edges.size + 1, np.searchsorted(edges, column)).astype(np.int64)


def _ranks(values: Matrix) -> Matrix:
    ordered = np.sort(values)
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / 2.0


def _square(one: Matrix, other: Matrix) -> float:
    """Square of the correlation; 0 for a constant."""
    if len(one) < 2 or not one.std() or not other.std():
        return 0.0
    return max(0.0, 1.0 - (1.0 - float(np.corrcoef(one, other)[0, 1]) ** 2))
