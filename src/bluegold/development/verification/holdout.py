"""Model verification: how good is the model on rows it has never seen?

What is measured depends on the task; the measures are in :mod:`bluegold.development.measures`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from bluegold.core.nouns import Port, StageContract
from bluegold.development.calibrating import compared
from bluegold.development.measures.binary import area_under_curve, auc_error, calibration, quality, wilson
from bluegold.development.plots import curve
from bluegold.development.stage import StageContext
from bluegold.development.tables import decide, matrix_of, model_of, rule_of
from bluegold.development.tasks import task_of
from bluegold.registry.predictors.calibrated import CalibratedPredictor

__all__ = ["CONTRACT", "READS", "area_under_curve", "auc_error", "calibration", "quality", "run", "wilson"]

CONTRACT = StageContract(
    name="verification/holdout",
    section="S1",
    purpose="Score the untouched hold-out once and measure quality and calibration.",
    inputs=(
        Port(name="program", kind="model"),
        Port(name="holdout"),
        Port(name="choice", kind="json"),
        Port(name="model", kind="model"),
    ),
    outputs=(
        Port(name="scores", description="hold-out rows with score, decision and label"),
        Port(name="quality_holdout", kind="report", description="accuracy, AUC, balanced accuracy, calibration"),
        Port(name="figures_holdout", kind="figure", description="calibration curve, ROC curve"),
    ),
    gate="AP-7 and AP-8 (judged in gate 1)",
    requirements=("AP-7", "AP-8"),
)
READS: tuple[str, ...] = ()


def run(ctx: StageContext) -> dict[str, Any]:
    """Score the hold-out with the final model and its decision rule."""
    program, choice, table = ctx.program(), ctx.take("choice"), ctx.take("holdout")
    rule = rule_of(choice)
    task = task_of(rule)
    model, matrix = model_of(choice, ctx.take("model")), matrix_of(table, program.names)
    scores = model.scores(matrix)
    decided, labels = decide(rule, scores, table), task.encode(table["y"])
    found = {"task": task.name, **task.quality(labels, scores, table)}
    if isinstance(model, CalibratedPredictor):
        found["calibration"] = {"method": type(model.calibration).__name__.lower()}
        found["calibration"] |= compared(labels, model.inner.scores(matrix), scores)
    keep = [name for name in table.columns if not name.startswith("f:")]
    behind = rule.answers(scores, [""] * table.height)[1]
    said = pl.Series("decided", decided.tolist() if rule.task == "multiclass" else decided)
    scored = table.select(keep).with_columns(pl.Series("score", behind), said)
    return {"scores": scored, "quality_holdout": found, "figures_holdout": _figures(rule.task, labels, scores, found)}


def _figures(task: str, labels: np.ndarray, scores: np.ndarray, found: dict[str, Any]) -> dict[str, str]:
    line = _line(found)
    if task == "regression":
        return {"calibration": curve("Predictions on the hold-out", "mean prediction", "mean outcome", line)}
    figures = {"calibration": curve("Calibration on the hold-out", "mean score", "observed share", line)}
    if task == "binary":
        points = _roc(labels, scores)
        figures["roc"] = curve("ROC curve on the hold-out", "false-positive rate", "true-positive rate", points)
    return figures


def _line(found: dict[str, Any]) -> list[tuple[float, float]]:
    return [(score, share) for score, share, _ in found["calibration_bins"]]


def _roc(labels: np.ndarray, scores: np.ndarray, points: int = 60) -> list[tuple[float, float]]:
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(labels[order]) / max(int(labels.sum()), 1)
    false = np.cumsum(~labels[order]) / max(int((~labels).sum()), 1)
    at = np.unique(np.searchsorted(false, np.linspace(0, 1, points)).clip(0, order.size - 1))
    return [(0.0, 0.0), *((float(false[i]), float(found[i])) for i in at), (1.0, 1.0)]
