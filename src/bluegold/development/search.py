"""A small, repeatable search over families and parameters.

Successive halving (Jamieson & Talwalkar 2016): every configuration learns from a few rows, the best ones
from more.  The judge is the log loss on the validation rows, a proper score, so that no threshold has to
be chosen first.  A configuration is never tried twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np

from bluegold.development.families import Training, family
from bluegold.development.verification.holdout import area_under_curve
from bluegold.features.system import ModelChoice

__all__ = [
    "Candidate",
    "Trial",
    "candidates",
    "halving",
    "log_loss",
    "side_by_side",
    "spread",
    "trial",
    "watched",
]

#: rows that the configurations of each round learn from, and how many configurations go on to the next
RUNGS = ((15_000, 2), (45_000, 1))
MOST_PER_FAMILY = 8
JUDGE_ROWS = 20_000

#: what is tried when a system names no model
DEFAULT_CHOICES = (
    ModelChoice(family="lightgbm", search={"num_leaves": (15, 63)}),
    ModelChoice(family="logistic"),
)


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration: a family with all its parameters."""

    family: str
    params: dict[str, Any]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """How one configuration did when it learned from ``rows`` rows."""

    family: str
    params: dict[str, Any]
    rows: int
    log_loss: float
    auc: float


def candidates(choices: tuple[ModelChoice, ...], seed: int) -> tuple[Candidate, ...]:
    """The configurations to try: every combination, or a seeded draw where there are too many.

    Args:
        choices: families with fixed parameters and values to search.
        seed: of the draw.

    Raises:
        DefinitionError: a family or parameter does not exist.

    Example:
        >>> found = candidates((ModelChoice(family="logistic", search={"C": (0.1, 1.0)}),), 7)
        >>> [candidate.params["C"] for candidate in found]
        [0.1, 1.0]
    """
    found = []
    for choice in choices:
        kind = family(choice.family)
        grid = [dict(zip(choice.search, values, strict=True)) for values in itertools.product(*choice.search.values())]
        if len(grid) > MOST_PER_FAMILY:
            drawn = np.random.default_rng(seed).choice(len(grid), MOST_PER_FAMILY, replace=False)
            grid = [grid[index] for index in sorted(drawn)]
        found += [Candidate(family=choice.family, params=kind.settle({**choice.params, **point})) for point in grid]
    return _unique(found)


def _unique(found: list[Candidate]) -> tuple[Candidate, ...]:
    return tuple({msgspec.json.encode(candidate, order="sorted"): candidate for candidate in found}.values())


def log_loss(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean negative log-likelihood of the labels.

    Example:
        >>> round(log_loss(np.array([True, False]), np.array([0.5, 0.5])), 4)
        0.6931
    """
    clipped = np.clip(scores, 1e-9, 1 - 1e-9)
    return float(-np.mean(np.where(labels, np.log(clipped), np.log(1 - clipped))))


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
    few = Training(few.matrix, few.labels, few.kinds, (matrix, labels))
    fitted = family(candidate.family).fit(few, candidate.params, seed)
    scores = fitted.predictor.scores(matrix)
    return Trial(
        family=candidate.family,
        params=candidate.params,
        rows=few.labels.size,
        log_loss=log_loss(labels, scores),
        auc=area_under_curve(labels, scores),
    )


def side_by_side(found: Sequence[Candidate], training: Training, rows: int, seed: int) -> list[Trial]:
    """The trials of several configurations, two at a time; in the order of the configurations."""
    with ThreadPoolExecutor(2) as pool:  # training does not hold the interpreter
        return list(pool.map(lambda candidate: trial(candidate, training, rows, seed), found))


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
    """Row numbers of a sample that keeps both outcomes in their shares.

    Example:
        >>> spread(np.array([True] * 4 + [False] * 6), 5, 7).size
        5
    """
    random = np.random.default_rng(seed)
    parts = []
    for outcome in (False, True):
        mine = np.nonzero(labels == outcome)[0]
        count = min(mine.size, max(1, round(rows * mine.size / labels.size)))
        parts.append(random.choice(mine, count, replace=False))
    return np.sort(np.concatenate(parts))


def halving(
    found: tuple[Candidate, ...], training: Training, seed: int, note: Callable[[str], None]
) -> tuple[Candidate, tuple[Trial, ...]]:
    """The best configuration, and every trial in order.

    Args:
        found: configurations.
        training: rows to learn from, with rows to watch.
        seed: of samples and trainings.
        note: told about every round.
    """
    alive, trials = list(found), list[Trial]()
    for rows, keep in RUNGS:
        if len(alive) > 1:
            judged = list(zip(side_by_side(alive, training, rows, seed), alive, strict=True))
            judged.sort(key=lambda pair: pair[0].log_loss)
            trials += [result for result, _ in judged]
            note(f"{len(judged)} configurations on {judged[0][0].rows} rows: best {_named(judged[0][0])}")
            alive = [candidate for _, candidate in judged[: keep if training.labels.size > rows else 1]]
    return alive[0], tuple(trials)


def _named(result: Trial) -> str:
    return f"{result.family}, log loss {result.log_loss:.4f}, AUC {result.auc:.4f}"
