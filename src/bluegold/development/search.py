"""A small, repeatable search over families and parameters.

Successive halving (Jamieson & Talwalkar 2016): every configuration learns from a few rows, the best ones
from more.  The judge is the log loss on the validation rows (for numbers the squared error), a proper score,
so that no threshold has to be chosen first.  A configuration is never tried twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np

from bluegold.core.errors import DefinitionError
from bluegold.development.families import FAMILIES, Training, family
from bluegold.development.tasks import task_of
from bluegold.features.system import ModelChoice
from bluegold.registry.rule import DecisionRule, Task

__all__ = [
    "Candidate",
    "Trial",
    "candidates",
    "halving",
    "side_by_side",
    "spread",
    "trial",
    "watched",
]

#: rows that the configurations of each round learn from, and how many configurations go on to the next
RUNGS = ((15_000, 2), (45_000, 1))
MOST_PER_FAMILY = 8
JUDGE_ROWS = 20_000

TREES = ModelChoice(family="lightgbm", search={"num_leaves": (15, 63)})
#: what is tried when a system names no model, by task
DEFAULT_CHOICES: dict[Task, tuple[ModelChoice, ...]] = {
    "binary": (TREES, ModelChoice(family="logistic")),
    "multiclass": (TREES, ModelChoice(family="logistic")),
    "regression": (TREES, ModelChoice(family="linear")),
}


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration: a family with all its parameters."""

    family: str
    params: dict[str, Any]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """How one configuration did when it learned from ``rows`` rows.

    ``loss`` is the log loss or the squared error, ``quality`` the (macro) AUC or R2, both on rows it has not seen;
    with ``folds`` they are means over them, and ``spread`` is the losses' standard deviation.
    """

    family: str
    params: dict[str, Any]
    rows: int
    loss: float
    quality: float
    folds: int = 1
    spread: float = 0.0


def candidates(choices: tuple[ModelChoice, ...], seed: int, task: Task = "binary") -> tuple[Candidate, ...]:
    """The configurations to try: every combination, or a seeded draw where there are too many.

    Args:
        choices: families with fixed parameters and values to search; none means the task's default ones.
        seed: of the draw.
        task: what has to be learned.

    Raises:
        DefinitionError: a family or parameter does not exist, or the family does not learn the task.

    Example:
        >>> found = candidates((ModelChoice(family="logistic", search={"C": (0.1, 1.0)}),), 7)
        >>> [candidate.params["C"] for candidate in found]
        [0.1, 1.0]
    """
    found = []
    for choice in choices or DEFAULT_CHOICES[task]:
        kind = family(choice.family)
        if task not in kind.tasks:
            raise DefinitionError(
                f"model family '{kind.name}' does not learn a {task} target",
                way_out=f"use one of {', '.join(name for name, one in sorted(FAMILIES.items()) if task in one.tasks)}",
                subject=kind.name,
            )
        grid = [dict(zip(choice.search, values, strict=True)) for values in itertools.product(*choice.search.values())]
        if len(grid) > MOST_PER_FAMILY:
            drawn = np.random.default_rng(seed).choice(len(grid), MOST_PER_FAMILY, replace=False)
            grid = [grid[index] for index in sorted(drawn)]
        found += [Candidate(family=choice.family, params=kind.settle({**choice.params, **point})) for point in grid]
    return _unique(found)


def _unique(found: list[Candidate]) -> tuple[Candidate, ...]:
    return tuple({msgspec.json.encode(candidate, order="sorted"): candidate for candidate in found}.values())


def trial(candidate: Candidate, training: Training, rows: int, seed: int) -> Trial:
    """Train one configuration on a sample and judge it on the watched rows.

    Args:
        candidate: family and parameters.
        training: rows to learn from, with rows to watch.
        rows: at most that many rows are learned from.
        seed: of the sample and of the training.
    """
    if training.watch is None:
        raise AssertionError("a trial needs rows to be judged on")
    few = training if training.labels.size <= rows else training.take(spread(training.labels, rows, seed))
    matrix, labels = watched(training.watch, seed)
    few = Training(few.matrix, few.labels, few.kinds, (matrix, labels), few.rule)
    task = task_of(training.rule)
    fitted = family(candidate.family).fit(few, candidate.params, seed)
    scores = fitted.predictor.scores(matrix)
    return Trial(
        family=candidate.family,
        params=candidate.params,
        rows=few.labels.size,
        loss=task.loss(labels, scores),
        quality=task.goodness(labels, scores),
    )


def side_by_side(found: Sequence[Candidate], trainings: Sequence[Training], rows: int, seed: int) -> list[Trial]:
    """The trials of several configurations, two at a time; in the order of the configurations.

    Args:
        found: configurations.
        trainings: one, or one a fold; a configuration's trial is their mean.
        rows: at most that many rows are learned from.
        seed: of samples and trainings.
    """
    with ThreadPoolExecutor(2) as pool:  # training does not hold the interpreter
        pairs = [(candidate, training) for candidate in found for training in trainings]
        trials = list(pool.map(lambda pair: trial(pair[0], pair[1], rows, seed), pairs))
    step = len(trainings)
    return [_mean(trials[first : first + step]) for first in range(0, len(trials), step)]


def _mean(trials: Sequence[Trial]) -> Trial:
    if len(trials) == 1:
        return trials[0]
    losses = np.array([found.loss for found in trials])
    return Trial(
        family=trials[0].family,
        params=trials[0].params,
        rows=max(found.rows for found in trials),
        loss=float(losses.mean()),
        quality=float(np.mean([found.quality for found in trials])),
        folds=len(trials),
        spread=float(losses.std()),
    )


def watched(rows: tuple[np.ndarray, np.ndarray], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """At most :data:`JUDGE_ROWS` of the rows to watch: enough to rank models, cheap at every tree.

    Args:
        rows: matrix and labels.
        seed: of the draw.
    """
    matrix, labels = rows
    if labels.size <= JUDGE_ROWS:
        return rows
    chosen = spread(labels, JUDGE_ROWS, seed)
    return matrix[chosen], labels[chosen]


def spread(labels: np.ndarray, rows: int, seed: int) -> np.ndarray:
    """Row numbers of a sample that keeps every class in its share (numbers are drawn as they come).

    Example:
        >>> spread(np.array([True] * 4 + [False] * 6), 5, 7).size
        5
    """
    random = np.random.default_rng(seed)
    parts = []
    if labels.dtype.kind == "f":
        return np.sort(random.choice(labels.size, min(rows, labels.size), replace=False))
    for outcome in np.unique(labels):
        mine = np.nonzero(labels == outcome)[0]
        count = min(mine.size, max(1, round(rows * mine.size / labels.size)))
        parts.append(random.choice(mine, count, replace=False))
    return np.sort(np.concatenate(parts))


def halving(
    found: tuple[Candidate, ...], trainings: Sequence[Training], seed: int, note: Callable[[str], None]
) -> tuple[Candidate, tuple[Trial, ...]]:
    """The best configuration, and every trial in order.

    Args:
        found: configurations.
        trainings: rows to learn from, with rows to watch; one a fold where there are folds.
        seed: of samples and trainings.
        note: told about every round.
    """
    alive, trials = list(found), list[Trial]()
    for rows, keep in RUNGS:
        if len(alive) > 1:
            judged = list(zip(side_by_side(alive, trainings, rows, seed), alive, strict=True))
            judged.sort(key=lambda pair: pair[0].loss)
            trials += [result for result, _ in judged]
            best = _named(judged[0][0], trainings[0].rule)
            note(f"{len(judged)} configurations on {judged[0][0].rows} rows: best {best}")
            alive = [candidate for _, candidate in judged[: keep if trainings[0].labels.size > rows else 1]]
    return alive[0], tuple(trials)


def _named(result: Trial, rule: DecisionRule) -> str:
    loss, quality = task_of(rule).words
    return f"{result.family}, {loss} {result.loss:.4f}, {quality} {result.quality:.4f}"
