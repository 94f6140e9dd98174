"""The production version's own hold-out, scored again by the stage that verified it."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from bluegold.development.tables import decide, matrix_of
from bluegold.development.verification.holdout import quality
from bluegold.probes.bench import Bench
from bluegold.probes.scratch import NotMeasured

__all__ = ["MOST_ROWS", "Holdout", "holdout"]

MOST_ROWS = 200_000


class Holdout(msgspec.Struct, frozen=True, kw_only=True):
    """The hold-out of one version.

    ``table`` has the columns of the artefact, ``matrix`` (n, d) float64 is what the model sees, ``labels`` (n,)
    booleans are true, ``scores`` (n,) and ``decided`` (n,) were computed now.
    """

    table: pl.DataFrame
    matrix: NDArray[np.float64]
    labels: NDArray[np.bool_]
    scores: NDArray[np.float64]
    decided: NDArray[np.bool_]
    quality: dict[str, Any]


def holdout(bench: Bench) -> Holdout:
    """Read and score the hold-out; use it through ``bench.once``.

    Raises:
        NotMeasured: nothing is in production, or the hold-out holds one class only.
        RegistryError: the version carries no hold-out.
    """
    table = pl.read_parquet(bench.registry.versions.artefact(bench.version.ref, "holdout.parquet")).head(MOST_ROWS)
    matrix = matrix_of(table, bench.program.names)
    if bench.bundle.decision.task != "binary":
        raise NotMeasured(
            f"{bench.version.ref} decides a {bench.bundle.decision.task} target, and this probe a yes or no",
            way_out="read its report of gate 1, which measures that task on the same rows",
        )
    labels = table["y"].to_numpy().astype(np.bool_)
    if not labels.any() or labels.all():
        raise NotMeasured(f"the hold-out of {bench.version.ref} holds one class only")
    scores = bench.bundle.predictor.scores(matrix)
    decided = decide(bench.bundle.decision, scores, table)
    return Holdout(
        table=table,
        matrix=matrix,
        labels=labels,
        scores=scores,
        decided=decided,
        quality=quality(labels, scores, decided),
    )
