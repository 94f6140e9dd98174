"""Model verification: can a person follow what the model decides?

The score is the fidelity of a global surrogate (Craven & Shavlik 1996, *Extracting Tree-Structured
Representations of Trained Networks*): the share of hold-out decisions that a decision tree of depth 5
repeats.  Cohen's kappa stands beside it, because a rare class makes plain agreement easy; permutation
importance (Breiman 2001) says which features carry the decisions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.tree import DecisionTreeClassifier, export_text

from bluegold.core.nouns import Port, StageContract
from bluegold.development.stage import StageContext
from bluegold.development.tables import decide, matrix_of, model_of, rule_of, sample_rows
from bluegold.development.verification.holdout import area_under_curve

__all__ = ["CONTRACT", "DEPTH", "READS", "kappa", "run", "surrogate"]

DEPTH = 5
LEARN_ROWS = 60_000
IMPORTANCE_ROWS = 4_000

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
    """Cohen's kappa of two sets of yes/no decisions: agreement beyond chance.

    Example:
        >>> kappa(np.array([True, True, False, False]), np.array([True, False, False, False]))
        0.5
    """
    agree = float((one == other).mean())
    chance = float(one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean()))
    return 1.0 if chance == 1.0 else (agree - chance) / (1 - chance)


def surrogate(matrix: np.ndarray, decisions: np.ndarray, seed: int) -> DecisionTreeClassifier:
    """A depth-5 decision tree that imitates ``decisions``.

    Args:
        matrix: (n, d) float64; NaN travels its own way.
        decisions: (n,) booleans of the model.
        seed: breaks ties between equally good splits.
    """
    tree = DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=20, random_state=seed)
    return tree.fit(matrix.astype(np.float32), decisions)


def run(ctx: StageContext) -> dict[str, Any]:
    """Measure the surrogate's agreement and the features' importance."""
    program, choice = ctx.program(), ctx.take("choice")
    model, rule = model_of(choice, ctx.take("model")), rule_of(choice)
    learn = sample_rows(ctx.take("train"), LEARN_ROWS, ctx.seed)
    seen = matrix_of(learn, program.names)
    tree = surrogate(seen, decide(rule, model.scores(seen), learn), ctx.seed)
    held = ctx.take("holdout")
    matrix = matrix_of(held, program.names)
    decided = decide(rule, model.scores(matrix), held)
    said = tree.predict(matrix.astype(np.float32)).astype(bool)
    few = sample_rows(held, IMPORTANCE_ROWS, ctx.seed)
    importance = _importance(model, matrix_of(few, program.names), few["y"].to_numpy(), ctx.seed)
    return {
        "explainability": {
            "explainability": float((said == decided).mean()),
            "kappa": kappa(decided, said),
            "majority_agreement": float(max(decided.mean(), 1 - decided.mean())),
            "depth": int(tree.get_depth()),
            "leaves": int(tree.get_n_leaves()),
            "rules": export_text(tree, feature_names=list(program.names), max_depth=3),
            "importance": dict(zip(program.names, importance, strict=True)),
            "n": held.height,
        }
    }


def _importance(model: Any, matrix: np.ndarray, labels: np.ndarray, seed: int) -> list[float]:
    """Loss of area under the curve when one column is shuffled, for every column."""
    if labels.all() or not labels.any():
        return [0.0] * matrix.shape[1]
    base = area_under_curve(labels, model.scores(matrix))
    order = np.random.default_rng(seed).permutation(matrix.shape[0])
    found = []
    for index in range(matrix.shape[1]):
        shuffled = matrix.copy()
        shuffled[:, index] = matrix[order, index]
        found.append(base - area_under_curve(labels, model.scores(shuffled)))
    return found
