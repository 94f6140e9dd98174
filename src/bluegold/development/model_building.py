"""Model building: one first model of every family, against the naive answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from bluegold.core.nouns import Port, StageContract
from bluegold.development.families import Training
from bluegold.development.search import DEFAULT_CHOICES, Candidate, candidates, log_loss, side_by_side
from bluegold.development.stage import StageContext
from bluegold.development.tables import matrix_of

__all__ = ["CONTRACT", "READS", "ROWS", "run"]

ROWS = 10_000

CONTRACT = StageContract(
    name="model_building",
    section="S1",
    purpose="Train a first model of every family on a sample and compare it with always giving the base rate.",
    inputs=(Port(name="program", kind="model"), Port(name="train"), Port(name="validate")),
    outputs=(Port(name="baselines", kind="report", description="first trial of every family, best first"),),
    gate="at least one family beats the base rate on the validation rows; otherwise the run says so and goes on",
)
READS: tuple[str, ...] = ("models",)


def run(ctx: StageContext) -> dict[str, Any]:
    """Try the first configuration of every family of the system (or of the default families)."""
    names, kinds = ctx.program().names, ctx.program().kinds
    train, validate = ctx.take("train"), ctx.take("validate")
    watch = (matrix_of(validate, names), validate["y"].to_numpy())
    training = Training(matrix_of(train, names), train["y"].to_numpy(), kinds, watch)
    first: dict[str, Candidate] = {}
    for candidate in candidates(ctx.system.models or DEFAULT_CHOICES, ctx.seed):
        first.setdefault(candidate.family, candidate)
    trials = side_by_side(list(first.values()), training, ROWS, ctx.seed)
    trials.sort(key=lambda found: found.log_loss)
    naive = log_loss(watch[1], np.full(watch[1].size, training.labels.mean()))
    for found in trials:
        ctx.note(f"{found.family}: log loss {found.log_loss:.4f}, AUC {found.auc:.4f}")
    if trials[0].log_loss >= naive:
        ctx.note(f"no family beats the base rate (log loss {naive:.4f}): the features say little about the target")
    return {
        "baselines": {
            "trials": trials,
            "naive_log_loss": naive,
            "beats_naive": trials[0].log_loss < naive,
            "order": [found.family for found in trials],
        }
    }
