"""Data transforms: the one feature definition, fitted and run; the same program will serve requests."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bluegold.core.errors import DataError
from bluegold.core.nouns import Port, StageContract
from bluegold.development.stage import StageContext
from bluegold.development.tables import FEATURE
from bluegold.features.parity import ParityReport, parity
from bluegold.features.program import FeatureProgram, fit_program
from bluegold.features.same import changes

__all__ = ["CONTRACT", "PARITY_ROWS", "READS", "run"]

PARITY_ROWS = 10_000
LEAST_ROWS = 20

TABLE = (("f:<feature>", "float64"), ("y", "bool"), ("_row", "int64"), ("_time", "datetime"))
CONTRACT = StageContract(
    name="data_transforms",
    section="S1",
    purpose="Compute point-in-time features, divide the rows, and prove that training and serving agree.",
    inputs=(
        Port(name="rows", description="source rows as loaded (for the division into parts)"),
        Port(name="valid"),
        Port(name="tables", description="lookup tables by name"),
    ),
    outputs=(
        Port(name="program", kind="model", description="the feature program: all that serving needs"),
        Port(name="train", description="labelled rows to learn from", fields=TABLE),
        Port(name="validate", description="labelled rows to choose by", fields=TABLE),
        Port(name="holdout", description="labelled rows to judge by, with their contract columns", fields=TABLE),
        Port(name="parity", kind="report", description="batch features against the one-row path, bit by bit"),
    ),
    gate="0 mismatches between the batch and the one-row path on a sample of 10,000 rows (judged in gate 2)",
    owner="data engineering",
    requirements=("AP-2", "NF-9"),
)
READS: tuple[str, ...] = (
    "name",
    "contract",
    "target",
    "task",
    "time",
    "entity",
    "features",
    "histories",
    "kept_program",
    "lookups",
    "vectors",
    "split",
    "protected",
    "fairness",
)


def run(ctx: StageContext) -> dict[str, Any]:
    """Fit the feature program on everything before the hold-out and compute all features with it.

    Vocabularies are learned from training and validation rows together, because the final model
    learns from both; the hold-out stays unseen.

    Raises:
        DataError: a part has too few labelled rows or only one outcome.
    """
    system, valid, tables = ctx.system, ctx.take("valid"), ctx.take("tables")
    parts = system.partition(ctx.take("rows")).gather(valid["_row"])
    labelled = valid["y"].is_not_null()
    clean = valid.select(system.contract.names)
    fitted = fit_program(system, clean.filter(parts.is_in(["train", "validate"])), tables)
    program = _kept(ctx, FeatureProgram.from_json(fitted.to_json()))  # as it will be read back: there is one digest
    ctx.note(f"{len(program.names)} features over {clean.height} rows")
    matrix = program.matrix(program.features(clean, tables))
    keep = [valid["y"], valid["_row"], *([valid[system.time].alias("_time")] if system.time else [])]
    columns = [pl.Series(f"{FEATURE}{name}", matrix[:, i]) for i, name in enumerate(program.names)]
    whole = pl.DataFrame([*columns, *keep, *clean.get_columns()])
    groups = {*system.protected, *filter(None, (system.plan.fairness.thresholds_by,))}
    slim = [c.name for c in (*columns, *keep)] + [name for name in clean.columns if name in groups]
    found = {name: whole.filter((parts == name) & labelled) for name in ("train", "validate", "holdout")}
    for name, table in found.items():
        _enough(name, table, parts)
    report = _parity(ctx, program, clean, tables, matrix)
    return {
        "program": program.to_json(),
        "train": found["train"].select(slim),
        "validate": found["validate"].select(slim),
        "holdout": found["holdout"],
        "parity": report,
    }


def _kept(ctx: StageContext, fitted: FeatureProgram) -> FeatureProgram:
    """The program of the version in production, where a release may change the model only and nothing else changed."""
    if not ctx.system.kept_program:
        return fitted
    kept = FeatureProgram.from_json(ctx.system.kept_program.encode())
    different = changes(kept, fitted)
    if different:
        ctx.note(f"the definition changed, which a model-level release may not: {', '.join(different[:3])}")
        return fitted
    ctx.note("kept the feature program of the version in production, with its vocabularies")
    return kept


def _enough(name: str, table: pl.DataFrame, parts: pl.Series) -> None:
    if table.height < LEAST_ROWS:
        raise DataError(
            f"the {name} part has {table.height} labelled rows, at least {LEAST_ROWS} are needed",
            why=", ".join(f"{row[0]} {row[1]}" for row in parts.value_counts(sort=True).iter_rows()),
            way_out="move the bounds of split=, or give more data",
        )
    if table["y"].n_unique() < 2:
        raise DataError(
            f"the target is constant in the {name} part ({table.height} rows)",
            way_out="move the bounds of split= so that every part has more than one outcome",
        )


def _parity(
    ctx: StageContext,
    program: FeatureProgram,
    clean: pl.DataFrame,
    tables: dict[str, pl.DataFrame],
    matrix: NDArray[np.float64],
) -> ParityReport:
    found = parity(program, clean, tables, sample=PARITY_ROWS, seed=ctx.seed, matrix=matrix)
    ctx.note(f"parity: {found.rows} rows x {found.columns} features, {found.mismatches} mismatches")
    return found
