"""Model verification: the independent second check, on decisions that production really took.

The sample holds recent decisions joined with what turned out to be true, with the feature vectors as
they were served.  It shares nothing with the hold-out but the model, so it finds what a clean file hides:
skew, drift, labels that mean something else.  Without a sample the answer is ``hold``: not available.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from bluegold.core.nouns import Port, StageContract
from bluegold.development.stage import StageContext
from bluegold.development.tables import FEATURE, matrix_of, model_of, rule_of
from bluegold.development.tasks import task_of

__all__ = ["CONTRACT", "LEAST", "READS", "run", "unavailable"]

LEAST = 200
Z = 3.0
TOLERANCE = 0.01

CONTRACT = StageContract(
    name="verification/production_sample",
    section="S1",
    purpose="Score recent production decisions with known outcomes and compare with the hold-out.",
    inputs=(
        Port(name="program", kind="model"),
        Port(name="production", description="f:<feature> as served, y, thresholds_by column; may be empty"),
        Port(name="choice", kind="json"),
        Port(name="model", kind="model"),
        Port(name="quality_holdout", kind="report"),
    ),
    outputs=(Port(name="production_sample", kind="report", description="pass, fail or hold, with its numbers"),),
    gate="accuracy on production is not below the hold-out by more than 1 point and three standard errors",
    owner="model validation",
)
READS: tuple[str, ...] = ()


def unavailable(reason: str, n: int = 0) -> dict[str, Any]:
    """The honest answer when there is nothing to check against.

    Example:
        >>> unavailable("no production yet")["verdict"]
        'hold'
    """
    return {"verdict": "hold", "available": False, "reason": reason, "n": n}


def run(ctx: StageContext) -> dict[str, Any]:
    """Judge the model on the production sample, or say why that is not possible."""
    return {"production_sample": _judge(ctx)}


def _judge(ctx: StageContext) -> dict[str, Any]:
    sample: pl.DataFrame = ctx.take("production")
    names, choice = ctx.program().names, ctx.take("choice")
    if sample.is_empty():
        return unavailable("no production decisions with known outcomes were given")
    needed = [*(f"{FEATURE}{name}" for name in names), "y", *filter(None, (rule_of(choice).group_by,))]
    missing = [name for name in needed if name not in sample.columns]
    if missing:
        return unavailable(f"production was served with other features: {missing[0]} is not among them", sample.height)
    rule = rule_of(choice)
    known = sample.filter(pl.col("y").is_not_null())
    if known.height < LEAST or known["y"].n_unique() < 2:
        return unavailable(f"{known.height} outcomes are known, {LEAST} of several kinds are needed", known.height)
    task = task_of(rule)
    scores = model_of(choice, ctx.take("model")).scores(matrix_of(known, names))
    labels = task.encode(known["y"])
    found, held = task.quality(labels, scores, known), ctx.take("quality_holdout")
    return _numbers(rule.scale, found, held) if task.name == "regression" else _compare(found, held)


def _numbers(scale: float, found: dict[str, Any], held: dict[str, Any]) -> dict[str, Any]:
    """Mean absolute errors in units of the target's deviation, under the same tolerance."""
    difference = (held["mae"] - found["mae"]) / scale
    noise = np.sqrt(sum((q["rmse"] / scale) ** 2 / q["n"] for q in (found, held)))
    return {
        "verdict": "fail" if difference < -max(TOLERANCE, Z * float(noise)) else "pass",
        "available": True,
        "reason": f"mean absolute error {found['mae']:.4g} on production, {held['mae']:.4g} on the hold-out",
        "n": found["n"],
        **{name: found[name] for name in ("mae", "r2", "coverage")},
        "holdout_mae": held["mae"],
        "difference": difference,
        "standard_error": float(noise),
    }


def _compare(found: dict[str, Any], held: dict[str, Any]) -> dict[str, Any]:
    difference = found["accuracy"] - held["accuracy"]
    noise = np.sqrt(sum(q["accuracy"] * (1 - q["accuracy"]) / q["n"] for q in (found, held)))
    worse = difference < -max(TOLERANCE, Z * float(noise))
    return {
        "verdict": "fail" if worse else "pass",
        "available": True,
        "reason": f"accuracy {found['accuracy']:.4f} on production, {held['accuracy']:.4f} on the hold-out",
        "n": found["n"],
        "accuracy": found["accuracy"],
        "auc": found["auc"],
        "calibration_error": found["calibration_error"],
        "holdout_accuracy": held["accuracy"],
        "difference": difference,
        "standard_error": float(noise),
    }
