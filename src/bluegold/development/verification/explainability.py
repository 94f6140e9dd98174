"""Model verification: can a person follow what the model decides?

The score is the fidelity of a global surrogate (Craven & Shavlik 1996, *Extracting Tree-Structured
Representations of Trained Networks*): the share of hold-out decisions that a decision tree of depth 5
repeats; for predicted numbers the share of their variance that a regression tree of depth 5 explains.  Cohen's
kappa stands beside it, because a rare class makes plain agreement easy; permutation importance (Breiman 2001) says
which features carry the decisions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from bluegold.core.nouns import Port, StageContract
from bluegold.development.measures.regression import r2
from bluegold.development.stage import StageContext
from bluegold.development.tables import decide, matrix_of, model_of, rule_of, sample_rows
from bluegold.development.tasks import TaskKind, task_of
from bluegold.features.specs import ProgramSpec

__all__ = ["CONTRACT", "DEPTH", "READS", "kappa", "rules", "run", "surrogate"]

DEPTH = 5
LEARN_ROWS = 60_000
IMPORTANCE_ROWS = 4_000
SHOWN_DEPTH = 3
SHOWN_LEVELS = 6

CONTRACT = StageContract(
    name="verification/explainability",
    section="S1",
    purpose="Fit a depth-5 tree to the model's decisions and see how often it agrees on the hold-out.",
    inputs=(
        Port(name="program", kind="model"),
        Port(name="train"),
        Port(name="holdout"),
        Port(name="choice", kind="json"),
        Port(name="model", kind="model"),
    ),
    outputs=(Port(name="explainability", kind="report", description="agreement, kappa, rules, importances"),),
    gate="agreement reaches AP-12 (judged in gate 1)",
    requirements=("AP-12",),
)
READS: tuple[str, ...] = ()


def kappa(one: np.ndarray, other: np.ndarray) -> float:
    """Cohen's kappa of two sets of decisions: agreement beyond chance.

    Example:
        >>> kappa(np.array([True, True, False, False]), np.array([True, False, False, False]))
        0.5
    """
    agree = float((one == other).mean())
    chance = float(sum((one == value).mean() * (other == value).mean() for value in np.unique(one)))
    return 1.0 if chance == 1.0 else (agree - chance) / (1 - chance)


def surrogate(matrix: np.ndarray, decisions: np.ndarray, seed: int) -> Any:
    """A depth-5 decision tree that imitates ``decisions``.

    Args:
        matrix: (n, d) float64; NaN travels its own way.
        decisions: (n,) booleans, classes or numbers of the model.
        seed: breaks ties between equally good splits.
    """
    kind = DecisionTreeRegressor if decisions.dtype.kind == "f" else DecisionTreeClassifier
    tree = kind(max_depth=DEPTH, min_samples_leaf=20, random_state=seed)
    return tree.fit(matrix.astype(np.float32), decisions)


def rules(tree: Any, program: ProgramSpec) -> list[str]:
    """The upper part of a tree as sentences, one a branch, largest branch first.

    Args:
        tree: fitted on the program's matrix.
        program: names of columns and levels of categories.
    """
    found: list[tuple[int, str]] = []
    inner = tree.tree_

    def walk(node: int, bounds: dict[int, tuple[float, float]], depth: int) -> None:
        left, right = int(inner.children_left[node]), int(inner.children_right[node])
        if left == right or depth == SHOWN_DEPTH:
            rows = int(inner.n_node_samples[node])
            when = " and ".join(_condition(program, column, *limits) for column, limits in bounds.items())
            found.append((rows, f"{when or 'always'}: {_says(tree, node, rows)}"))
            return
        column, threshold = int(inner.feature[node]), float(inner.threshold[node])
        low, high = bounds.get(column, (-np.inf, np.inf))
        walk(left, {**bounds, column: (low, threshold)}, depth + 1)
        walk(right, {**bounds, column: (threshold, high)}, depth + 1)

    walk(0, {}, 0)
    return [sentence for _, sentence in sorted(found, key=lambda pair: -pair[0])]


def _says(tree: Any, node: int, rows: int) -> str:
    values = tree.tree_.value[node][0]
    if not hasattr(tree, "classes_"):
        return f"{values[0]:.4g} on average over {rows:,} rows"
    if tree.classes_.dtype.kind == "b":
        share = float(values[-1]) if len(tree.classes_) > 1 else float(tree.classes_[0])
        return f"positive in {share:.1%} of {rows:,} rows"
    best = int(np.argmax(values))
    return f"'{tree.classes_[best]}' in {values[best]:.1%} of {rows:,} rows"


def _condition(program: ProgramSpec, column: int, low: float, high: float) -> str:
    """One column between two thresholds, a category by the names of its levels."""
    name = program.names[column]
    if program.kinds[column] == "number":
        above = f"{low:.4g} < " if np.isfinite(low) else ""
        return f"{above}{name} <= {high:.4g}" if np.isfinite(high) else f"{name} > {low:.4g}"
    mine = [level for code, level in enumerate(program.vocabularies.get(name, ())) if low < code <= high]
    if low < -1.0:
        mine.append("unknown")
    more = f" and {len(mine) - SHOWN_LEVELS} more" if len(mine) > SHOWN_LEVELS else ""
    return f"{name} in ({', '.join(mine[:SHOWN_LEVELS])}{more})"


def run(ctx: StageContext) -> dict[str, Any]:
    """Measure the surrogate's agreement and the features' importance."""
    program, choice = ctx.program(), ctx.take("choice")
    model, rule = model_of(choice, ctx.take("model")), rule_of(choice)
    task = task_of(rule)
    learn = sample_rows(ctx.take("train"), LEARN_ROWS, ctx.seed)
    seen = matrix_of(learn, program.names)
    tree = surrogate(seen, _plain(decide(rule, model.scores(seen), learn)), ctx.seed)
    held = ctx.take("holdout")
    matrix = matrix_of(held, program.names)
    decided = _plain(decide(rule, model.scores(matrix), held))
    said = tree.predict(matrix.astype(np.float32)).astype(decided.dtype)
    few = sample_rows(held, IMPORTANCE_ROWS, ctx.seed)
    importance = _importance(task, model, matrix_of(few, program.names), task.encode(few["y"]), ctx.seed)
    return {
        "explainability": {
            **_fidelity(decided, said),
            "depth": int(tree.get_depth()),
            "leaves": int(tree.get_n_leaves()),
            "rules": rules(tree, program),
            "importance": dict(zip(program.names, importance, strict=True)),
            "n": held.height,
        }
    }


def _plain(decided: np.ndarray) -> np.ndarray:
    return decided.astype(str) if decided.dtype == object else decided


def _fidelity(decided: np.ndarray, said: np.ndarray) -> dict[str, Any]:
    if decided.dtype.kind == "f":
        return {"explainability": r2(decided, said), "measure": "variance of the predictions explained"}
    _, counts = np.unique(decided, return_counts=True)
    return {
        "explainability": float((said == decided).mean()),
        "measure": "agreement with the decisions",
        "kappa": kappa(decided, said),
        "majority_agreement": float(counts.max() / decided.size),
    }


def _importance(task: TaskKind, model: Any, matrix: np.ndarray, labels: np.ndarray, seed: int) -> list[float]:
    """Loss of the (macro) area under the curve, or of R2, when one column is shuffled, for every column."""
    if (labels == labels[0]).all():
        return [0.0] * matrix.shape[1]
    base = task.goodness(labels, model.scores(matrix))
    order = np.random.default_rng(seed).permutation(matrix.shape[0])
    found = []
    for index in range(matrix.shape[1]):
        shuffled = matrix.copy()
        shuffled[:, index] = matrix[order, index]
        found.append(base - task.goodness(labels, model.scores(shuffled)))
    return found
