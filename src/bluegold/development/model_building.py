"""Model building: one first model of every family, against the naive answer."""

from __future__ import annotations

from typing import Any

import polars as pl

from bluegold.core.nouns import Port, StageContract
from bluegold.development.families import Training
from bluegold.development.search import Candidate, candidates, side_by_side
from bluegold.development.stage import StageContext
from bluegold.development.tables import matrix_of
from bluegold.development.tasks import rule_for, task_of

__all__ = ["CONTRACT", "READS", "ROWS", "run"]

ROWS = 10_000

CONTRACT = StageContract(
    name="model_building",
    section="S1",
    purpose="Train a first model of every family on a sample and compare it with an answer that looks at no row.",
    inputs=(Port(name="program", kind="model"), Port(name="train"), Port(name="validate")),
    outputs=(Port(name="baselines", kind="report", description="first trial of every family, best first"),),
    gate="at least one family beats the naive answer on the validation rows; otherwise the run says so and goes on",
)
READS: tuple[str, ...] = ("models",)


def run(ctx: StageContext) -> dict[str, Any]:
    """Try the first configuration of every family of the system (or of the default families)."""
    names, kinds = ctx.program().names, ctx.program().kinds
    train, validate = ctx.take("train"), ctx.take("validate")
    rule = rule_for(pl.concat([train["y"], validate["y"]]))
    task = task_of(rule)
    watch = (matrix_of(validate, names), task.encode(validate["y"]))
    training = Training(matrix_of(train, names), task.encode(train["y"]), kinds, watch, rule)
    first: dict[str, Candidate] = {}
    for candidate in candidates(ctx.system.models, ctx.seed, task.name):
        first.setdefault(candidate.family, candidate)
    trials = side_by_side(list(first.values()), [training], ROWS, ctx.seed)
    trials.sort(key=lambda found: found.loss)
    naive = task.loss(watch[1], task.naive(training.labels, watch[1].size))
    loss, quality = task.words
    for found in trials:
        ctx.note(f"{found.family}: {loss} {found.loss:.4f}, {quality} {found.quality:.4f}")
    if trials[0].loss >= naive:
        ctx.note(f"no family beats the naive answer ({loss} {naive:.4f}): the features say little about the target")
    return {
        "baselines": {
            "trials": trials,
            "task": task.name,
            "naive_loss": naive,
            "beats_naive": trials[0].loss < naive,
            "order": [found.family for found in trials],
        }
    }
