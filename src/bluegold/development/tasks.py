"""What a system decides (a yes or no, a class, a number), and everything that differs between these tasks.

A label column is boolean for ``binary``, text for ``multiclass`` and float for ``regression``; a model learns from
what :meth:`Task.encode` makes of it: booleans, positions of classes, numbers.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import polars as pl

from bluegold.core.errors import DataError
from bluegold.development.measures import binary, multiclass, regression
from bluegold.development.tables import decide
from bluegold.registry.rule import DecisionRule, Task

__all__ = ["TaskKind", "kind_of", "rule_for", "task_of"]

MOST_CLASSES = 100


class TaskKind(Protocol):
    """One task: how labels are encoded and how scores are judged."""

    name: Task
    #: what :meth:`loss` and :meth:`goodness` are called
    words: tuple[str, str]

    def encode(self, labels: pl.Series) -> np.ndarray:
        """The labels as a model learns them, (n,)."""

    def loss(self, labels: np.ndarray, scores: np.ndarray) -> float:
        """What the search makes small: a proper score."""

    def goodness(self, labels: np.ndarray, scores: np.ndarray) -> float:
        """What permutation importance takes away: 1 is perfect."""

    def naive(self, learned: np.ndarray, rows: int) -> np.ndarray:
        """The best answers without looking at a row."""

    def quality(self, labels: np.ndarray, scores: np.ndarray, table: pl.DataFrame) -> dict[str, Any]:
        """All measures."""

    def error(self, labels: np.ndarray, scores: np.ndarray, table: pl.DataFrame) -> np.ndarray:
        """(n,) how wrong each decision is: 0 or 1, or the absolute error."""


class _Binary:
    name: Task = "binary"
    words = ("log loss", "AUC")

    def __init__(self, rule: DecisionRule) -> None:
        self.rule = rule

    def encode(self, labels: pl.Series) -> np.ndarray:
        return labels.to_numpy()

    def loss(self, labels: np.ndarray, scores: np.ndarray) -> float:
        return binary.log_loss(labels, scores)

    def goodness(self, labels: np.ndarray, scores: np.ndarray) -> float:
        return binary.area_under_curve(labels, scores) if labels.any() and not labels.all() else 0.5

    def naive(self, learned: np.ndarray, rows: int) -> np.ndarray:
        return np.full(rows, learned.mean())

    def quality(self, labels: np.ndarray, scores: np.ndarray, table: pl.DataFrame) -> dict[str, Any]:
        return binary.quality(labels, scores, decide(self.rule, scores, table))

    def error(self, labels: np.ndarray, scores: np.ndarray, table: pl.DataFrame) -> np.ndarray:
        wrong: np.ndarray = (decide(self.rule, scores, table) != labels).astype(np.float64)
        return wrong


class _Multiclass:
    name: Task = "multiclass"
    words = ("log loss", "macro AUC")

    def __init__(self, rule: DecisionRule) -> None:
        self.rule = rule

    def encode(self, labels: pl.Series) -> np.ndarray:
        names = list(self.rule.labels)
        return labels.replace_strict(names, list(range(len(names))), default=-1, return_dtype=pl.Int64).to_numpy()

    def loss(self, labels: np.ndarray, scores: np.ndarray) -> float:
        return multiclass.log_loss(labels, scores)

    def goodness(self, labels: np.ndarray, scores: np.ndarray) -> float:
        return multiclass.macro_auc(labels, scores)

    def naive(self, learned: np.ndarray, rows: int) -> np.ndarray:
        counts = np.bincount(learned, minlength=len(self.rule.labels))
        return np.tile(counts / counts.sum(), (rows, 1))

    def quality(self, labels: np.ndarray, scores: np.ndarray, table: pl.DataFrame) -> dict[str, Any]:  # noqa: ARG002 - one signature for every task
        return multiclass.quality(labels, scores, self.rule.labels)

    def error(self, labels: np.ndarray, scores: np.ndarray, table: pl.DataFrame) -> np.ndarray:  # noqa: ARG002 - one signature for every task
        wrong: np.ndarray = (np.argmax(scores, axis=1) != labels).astype(np.float64)
        return wrong


class _Regression:
    name: Task = "regression"
    words = ("squared error", "R2")

    def __init__(self, rule: DecisionRule) -> None:
        self.rule = rule

    def encode(self, labels: pl.Series) -> np.ndarray:
        return labels.to_numpy()

    def loss(self, labels: np.ndarray, scores: np.ndarray) -> float:
        return float(((labels - scores) ** 2).mean())

    def goodness(self, labels: np.ndarray, scores: np.ndarray) -> float:
        return regression.r2(labels, scores)

    def naive(self, learned: np.ndarray, rows: int) -> np.ndarray:
        return np.full(rows, learned.mean())

    def quality(self, labels: np.ndarray, scores: np.ndarray, table: pl.DataFrame) -> dict[str, Any]:  # noqa: ARG002 - one signature for every task
        return regression.quality(labels, scores, self.rule.interval)

    def error(self, labels: np.ndarray, scores: np.ndarray, table: pl.DataFrame) -> np.ndarray:  # noqa: ARG002 - one signature for every task
        missed: np.ndarray = np.abs(labels - scores)
        return missed


def task_of(rule: DecisionRule) -> TaskKind:
    """What a decision rule decides.

    Example:
        >>> task_of(DecisionRule()).name
        'binary'
    """
    found: dict[Task, type[_Binary] | type[_Multiclass] | type[_Regression]] = {
        "binary": _Binary,
        "multiclass": _Multiclass,
        "regression": _Regression,
    }
    return found[rule.task](rule)


def kind_of(labels: pl.Series) -> Task:
    """The task that a label column belongs to.

    Example:
        >>> kind_of(pl.Series([True])), kind_of(pl.Series(["a"])), kind_of(pl.Series([1.5]))
        ('binary', 'multiclass', 'regression')
    """
    if labels.dtype == pl.Boolean:
        return "binary"
    return "multiclass" if labels.dtype == pl.String else "regression"


def rule_for(labels: pl.Series) -> DecisionRule:
    """The decision rule of a task before anything is chosen: the classes, or the spread of the numbers.

    Args:
        labels: known labels of the rows to learn from.

    Raises:
        DataError: there are more classes than a person can tell apart.

    Example:
        >>> rule_for(pl.Series(["b", "a", "b"])).labels
        ('a', 'b')
    """
    task = kind_of(labels)
    if task == "binary":
        return DecisionRule()
    if task == "regression":
        spread = float(labels.to_numpy().std())
        return DecisionRule(task=task, scale=spread if spread > 0.0 else 1.0)
    names = tuple(labels.unique().sort().to_list())
    if len(names) > MOST_CLASSES:
        raise DataError(
            f"the target has {len(names):,} classes",
            why=f"more than {MOST_CLASSES} is an identifier or a number, not a class",
            way_out="use task='regression' for a number, or group the classes",
        )
    return DecisionRule(task=task, labels=names)
