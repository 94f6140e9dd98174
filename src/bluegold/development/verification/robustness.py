"""Model verification: does a little noise on the inputs change what the model decides?

Noise must stay plausible, or the check measures impossible rows instead of the model: integer columns
stay integer, the zeros of zero-inflated columns stay zero, and no value leaves the observed range.  For a predicted
number the change is that of the mean absolute error, in percent of the naive answer's error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bluegold.core.nouns import Port, StageContract
from bluegold.development.stage import StageContext
from bluegold.development.tables import matrix_of, model_of, rule_of, sample_rows
from bluegold.development.tasks import TaskKind, task_of

__all__ = ["CONTRACT", "ColumnNoise", "perturb", "run"]

LEVELS = (0.05, 0.10)
ZERO_INFLATED = 0.25
SAMPLE = 40_000

CONTRACT = StageContract(
    name="verification/robustness",
    section="S1",
    purpose="Score the hold-out again with noise of 5 % and 10 % of each number's standard deviation.",
    inputs=(
        Port(name="program", kind="model"),
        Port(name="holdout"),
        Port(name="choice", kind="json"),
        Port(name="model", kind="model"),
    ),
    outputs=(Port(name="robustness", kind="report", description="accuracy change by noise level"),),
    gate="the worst accuracy change stays inside AP-13 (judged in gate 1)",
    requirements=("AP-13",),
)
READS: tuple[str, ...] = ()


class ColumnNoise:
    """What noise may do to one column, learned from its values.

    Args:
        values: the observed column, (n,), NaN where missing.

    Example:
        >>> column = ColumnNoise(np.array([0.0, 0.0, 3.0, 4.0]))
        >>> column.integer, column.zero_inflated, column.low, column.high
        (True, True, 0.0, 4.0)
    """

    def __init__(self, values: np.ndarray) -> None:
        known = values[np.isfinite(values)]
        self.constant = known.size == 0 or bool(known.min() == known.max())
        self.low = float(known.min()) if known.size else 0.0
        self.high = float(known.max()) if known.size else 0.0
        self.deviation = float(known.std()) if known.size else 0.0
        self.integer = bool(known.size) and bool(np.all(known == np.round(known)))
        self.zero_inflated = bool(known.size) and float((known == 0.0).mean()) >= ZERO_INFLATED

    def shake(self, values: np.ndarray, level: float, random: np.random.Generator) -> np.ndarray:
        """The column with Gaussian noise of ``level`` standard deviations; missing stays missing."""
        if self.constant:
            return values.copy()
        moved = values + random.normal(0.0, level * self.deviation, values.size)
        if self.integer:
            moved = np.round(moved)
        moved = np.clip(moved, self.low, self.high)
        if self.zero_inflated:
            moved = np.where(values == 0.0, 0.0, moved)
        return np.where(np.isnan(values), values, moved)


def perturb(matrix: np.ndarray, kinds: tuple[str, ...], level: float, seed: int) -> np.ndarray:
    """A noisy copy of a feature matrix; category columns are left alone.

    Args:
        matrix: (n, d) float64.
        kinds: "number" or "category" per column.
        level: noise as a share of each column's standard deviation.
        seed: makes the noise repeatable.

    Example:
        >>> perturb(np.array([[1.0, 0.0], [2.0, 1.0]]), ("category", "category"), 0.1, 7).tolist()
        [[1.0, 0.0], [2.0, 1.0]]
    """
    noisy = matrix.copy()
    for index, kind in enumerate(kinds):
        if kind == "number":
            random = np.random.default_rng([seed, index])
            noisy[:, index] = ColumnNoise(matrix[:, index]).shake(matrix[:, index], level, random)
    return noisy


def run(ctx: StageContext) -> dict[str, Any]:
    """Measure the change of accuracy (of error, for numbers) at every noise level; the worst one is the measure."""
    program, choice = ctx.program(), ctx.take("choice")
    table = sample_rows(ctx.take("holdout"), SAMPLE, ctx.seed)
    task, model = task_of(rule_of(choice)), model_of(choice, ctx.take("model"))
    matrix, labels = matrix_of(table, program.names), task.encode(table["y"])
    clean = float(task.error(labels, model.scores(matrix), table).mean())
    naive = float(np.abs(labels - np.median(labels)).mean()) if task.name == "regression" else 0.0
    levels = []
    for level in LEVELS:
        noisy = perturb(matrix, program.kinds, level, ctx.seed)
        error = float(task.error(labels, model.scores(noisy), table).mean())
        levels.append(
            {
                "noise": level,
                _measured(task): error if task.name == "regression" else 1.0 - error,
                "change": _change(clean, error, naive),
                "cells_changed": _changed(matrix, noisy),
            }
        )
    worst = max(levels, key=lambda found: abs(found["change"]))
    return {
        "robustness": {
            "robustness_change": abs(worst["change"]),
            "signed_change": worst["change"],
            f"{_measured(task)}_without_noise": clean if task.name == "regression" else 1.0 - clean,
            "levels": levels,
            "n": table.height,
            "columns": _columns(matrix, program.names, program.kinds),
        }
    }


def _measured(task: TaskKind) -> str:
    return "error" if task.name == "regression" else "accuracy"


def _change(clean: float, noisy: float, naive: float) -> float:
    """Percent: of the accuracy without noise, or (where ``naive`` is given) of the naive answer's error."""
    whole = naive or 1.0 - clean
    return 100.0 * (clean - noisy) / whole if whole else 0.0


def _changed(before: np.ndarray, after: np.ndarray) -> float:
    return float(((before != after) & ~np.isnan(before)).mean()) if before.size else 0.0


def _columns(matrix: np.ndarray, names: tuple[str, ...], kinds: tuple[str, ...]) -> dict[str, dict[str, bool]]:
    found = {}
    for index, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        if kind == "number":
            noise = ColumnNoise(matrix[:, index])
            found[name] = {"integer": noise.integer, "zero_inflated": noise.zero_inflated}
    return found
