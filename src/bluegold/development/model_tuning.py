"""Model tuning: search, thresholds on the validation rows, and the final fit on everything before the hold-out."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import polars as pl

from bluegold.core.nouns import Port, StageContract
from bluegold.core.plan import Fairness
from bluegold.development.families import Training, family
from bluegold.development.search import DEFAULT_CHOICES, Candidate, Trial, candidates, halving, watched
from bluegold.development.stage import StageContext
from bluegold.development.tables import decide, matrix_of
from bluegold.development.thresholds import global_threshold, group_thresholds
from bluegold.development.verification.holdout import quality
from bluegold.registry.bundle import DecisionRule

__all__ = ["CONTRACT", "READS", "choose_rule", "run"]

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
    gate="the chosen configuration is the best of every trial by validation log loss",
    timeout_s=1800.0,
)
READS: tuple[str, ...] = ("models", "fairness")


def run(ctx: StageContext) -> dict[str, Any]:
    """Find the best configuration; its thresholds come from rows it has not learned from."""
    names, kinds = ctx.program().names, ctx.program().kinds
    train, validate = ctx.take("train"), ctx.take("validate")
    known, seen = matrix_of(train, names), matrix_of(validate, names)
    labels, held = train["y"].to_numpy(), validate["y"].to_numpy()
    training = Training(known, labels, kinds, watched((seen, held), ctx.seed))
    best, trials = halving(_ordered(ctx), training, ctx.seed, ctx.note)
    chosen = family(best.family).fit(training, best.params, ctx.seed)
    scores = chosen.predictor.scores(seen)
    rule = choose_rule(held, scores, validate, ctx.system.plan.fairness)
    decided = decide(rule, scores, validate)
    ctx.note(
        f"{best.family}: threshold {rule.threshold:.3f}{_by(rule)}, AUC {quality(held, scores, decided)['auc']:.4f}"
    )
    everything = Training(np.vstack([known, seen]), np.concatenate([labels, held]), kinds)
    final = family(best.family).fit(everything, chosen.params, ctx.seed)
    return {
        "choice": _choice(best, chosen.params, rule, trials)
        | {"validation": quality(held, scores, decided), "refit_rows": int(everything.labels.size)},
        "model": final.predictor.dump(),
    }


def _ordered(ctx: StageContext) -> tuple[Candidate, ...]:
    """All configurations, the family that began best first, so that ties go to it."""
    order = {name: place for place, name in enumerate(ctx.take("baselines")["order"])}
    found = candidates(ctx.system.models or DEFAULT_CHOICES, ctx.seed)
    return tuple(sorted(found, key=lambda candidate: order[candidate.family]))


def choose_rule(labels: np.ndarray, scores: np.ndarray, table: pl.DataFrame, plan: Fairness) -> DecisionRule:
    """The decision rule: one threshold, and thresholds by group when the plan asks for them.

    Args:
        labels: (n,) booleans.
        scores: (n,) probabilities.
        table: the rows, with the plan's ``thresholds_by`` column.
        plan: the fairness part of the plan.
    """
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


def _by(rule: DecisionRule) -> str:
    return f" ({len(rule.thresholds)} groups of {rule.group_by} with their own)" if rule.group_by else ""
