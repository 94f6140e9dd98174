"""Model tuning: search, thresholds on the validation rows, and the final fit on everything before the hold-out."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import polars as pl

from bluegold.core.nouns import Port, StageContract
from bluegold.core.plan import Fairness
from bluegold.development.calibrating import calibrated, check_wish
from bluegold.development.families import Training, family
from bluegold.development.folds import folded
from bluegold.development.measures.regression import interval
from bluegold.development.search import Candidate, Trial, candidates, halving, watched
from bluegold.development.stage import StageContext
from bluegold.development.tables import matrix_of
from bluegold.development.tasks import rule_for, task_of
from bluegold.development.thresholds import global_threshold, group_thresholds
from bluegold.registry.rule import DecisionRule, Task

__all__ = ["CONTRACT", "READS", "calibration_of", "choose_rule", "run", "told"]

CONTRACT = StageContract(
    name="model_tuning",
    section="S1",
    purpose="Search families and parameters, choose decision thresholds, refit on training and validation rows.",
    inputs=(
        Port(name="program", kind="model"),
        Port(name="train"),
        Port(name="validate"),
        Port(name="baselines", kind="report"),
    ),
    outputs=(
        Port(name="choice", kind="json", description="family, parameters, decision rule, every trial"),
        Port(name="model", kind="model", description="the final model in its own safe format"),
    ),
    gate="the chosen configuration is the best of every trial by validation log loss (squared error for numbers)",
    timeout_s=1800.0,
)
READS: tuple[str, ...] = ("models", "fairness", "folds", "calibration")


def run(ctx: StageContext) -> dict[str, Any]:
    """Find the best configuration; its decision rule comes from rows it has not learned from."""
    names, kinds = ctx.program().names, ctx.program().kinds
    train, validate = ctx.take("train"), ctx.take("validate")
    first = rule_for(pl.concat([train["y"], validate["y"]]))
    task = task_of(first)
    check_wish(ctx.system.calibration, task.name)
    known, seen = matrix_of(train, names), matrix_of(validate, names)
    labels, held = task.encode(train["y"]), task.encode(validate["y"])
    training = Training(known, labels, kinds, watched((seen, held), ctx.seed), first)
    order = train["_time"].arg_sort().to_numpy() if "_time" in train.columns else None
    trainings = folded(training, ctx.system.folds, order, ctx.seed)
    best, trials = halving(_ordered(ctx, task.name), trainings, ctx.seed, ctx.note)
    chosen = family(best.family).fit(training, best.params, ctx.seed)
    scores, calibration = calibration_of(ctx, first.task, held, chosen.predictor.scores(seen))
    rule = choose_rule(first, held, scores, validate, ctx.system.plan.fairness)
    found = task_of(rule).quality(held, scores, validate)
    ctx.note(f"{best.family}: {told(rule, found)}")
    everything = Training(np.vstack([known, seen]), np.concatenate([labels, held]), kinds, rule=first)
    final = family(best.family).fit(everything, chosen.params, ctx.seed)
    return {
        "choice": _choice(best, chosen.params, rule, trials)
        | calibration
        | {"calls": "shared by rows that wait together" if final.predictor.shares else "one a row"}
        | {"format": final.predictor.family, "facts": final.facts}
        | {"validation": found, "refit_rows": int(everything.labels.size)},
        "model": final.predictor.dump(),
    }


def calibration_of(
    ctx: StageContext, task: Task, labels: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, dict[str, Any]]:
    """The scores as they will be served, and what the choice says of their calibration.

    Args:
        ctx: of the stage that chooses.
        task: of the system; only a yes or no is calibrated.
        labels: (n,) of the validation rows.
        scores: (n,) of a model that has not learned from them.
    """
    wish = ctx.system.calibration
    if not wish or task != "binary":
        return scores, {}
    found = calibrated(wish, labels, scores, ctx.seed)
    said = ", ".join(f"{name} {loss:.4f}" for name, loss in found.log_loss.items())
    ctx.note(f"calibration: {found.method} ({said or found.reason})")
    facts = {"calibration": msgspec.to_builtins(found.calibration), "calibrating": msgspec.to_builtins(found)}
    return (scores if found.calibration is None else found.calibration.column(scores)), facts


def _ordered(ctx: StageContext, task: Task) -> tuple[Candidate, ...]:
    """All configurations, the family that began best first, so that ties go to it."""
    order = {name: place for place, name in enumerate(ctx.take("baselines")["order"])}
    found = candidates(ctx.system.models, ctx.seed, task)
    return tuple(sorted(found, key=lambda candidate: order[candidate.family]))


def choose_rule(
    first: DecisionRule, labels: np.ndarray, scores: np.ndarray, table: pl.DataFrame, plan: Fairness
) -> DecisionRule:
    """The decision rule: one threshold, and thresholds by group when the plan asks for them; for numbers an interval.

    Args:
        first: the task's rule before anything is chosen.
        labels: (n,) booleans, positions of classes, or numbers.
        scores: (n,) probabilities or numbers, or (n, classes).
        table: the rows, with the plan's ``thresholds_by`` column.
        plan: the fairness part of the plan.
    """
    if first.task == "regression":
        return msgspec.structs.replace(first, interval=interval(labels, scores))
    if first.task == "multiclass":
        return first
    by: dict[str, float] = {}
    if plan.thresholds_by:
        groups = table[plan.thresholds_by].cast(pl.String).fill_null("").to_numpy()
        by = group_thresholds(labels, scores, groups, plan.criterion, plan.min_group)
    return DecisionRule(
        positive_label="true",
        threshold=global_threshold(labels, scores),
        group_by=plan.thresholds_by if by else "",
        thresholds=by,
    )


def _choice(best: Candidate, params: dict[str, Any], rule: DecisionRule, trials: tuple[Trial, ...]) -> dict[str, Any]:
    return {
        "family": best.family,
        "params": params,
        "rule": msgspec.to_builtins(rule),
        "trials": [msgspec.to_builtins(found) for found in trials],
    }


def told(rule: DecisionRule, found: dict[str, Any]) -> str:
    """A rule and its quality in a few words.

    Args:
        rule: the decision rule.
        found: its measures on the validation rows.
    """
    if rule.task == "regression":
        return f"R2 {found['r2']:.4f}, mean absolute error {found['mae']:.4g} (naive {found['naive_mae']:.4g})"
    if rule.task == "multiclass":
        return f"accuracy {found['accuracy']:.4f}, macro AUC {found['auc']:.4f} over {len(rule.labels)} classes"
    by = f" ({len(rule.thresholds)} groups of {rule.group_by} with their own)" if rule.group_by else ""
    return f"threshold {rule.threshold:.3f}{by}, AUC {found['auc']:.4f}"
