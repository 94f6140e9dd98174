"""Data quality checks: the first gate.  Every row is kept, flagged or quarantined with its reasons."""

from __future__ import annotations

from typing import Any

import polars as pl

from bluegold.core.errors import DataError, DefinitionError
from bluegold.core.nouns import Port, StageContract
from bluegold.development import quality
from bluegold.development.stage import StageContext
from bluegold.development.tasks import kind_of
from bluegold.features.cleaning import Cleaned, clean_frame

__all__ = ["CONTRACT", "READS", "run"]

CONTRACT = StageContract(
    name="data_quality_checks",
    section="S1",
    purpose="Hold the source rows against the contract; check schema, gaps, ranges, repeats, time, rules and bias.",
    inputs=(
        Port(name="rows", description="source rows as loaded"),
        Port(name="notes", kind="json", description="what the source says it did to the rows"),
    ),
    outputs=(
        Port(name="valid", description="contract columns, _row, _flags and the label y (null where unknown)"),
        Port(name="quarantine", description="refused rows as they came, with _row and _reasons"),
        Port(name="quality", kind="report", description="counts and checks"),
    ),
    gate="at least one valid row, and a label that takes both values",
    owner="data engineering",
    on_failure="the run stops with one sentence; the source has to be corrected",
    requirements=("AP-1",),
)
READS: tuple[str, ...] = ("contract", "target", "time", "protected", "name")


def run(ctx: StageContext) -> dict[str, Any]:
    """Clean the source rows and say what was found.

    Raises:
        DataError: no rows, a missing or wrong column, no valid row, a missing or constant target.
    """
    rows: pl.DataFrame = ctx.take("rows")
    system = ctx.system
    if "y" in system.contract.names:
        raise DefinitionError(
            "contract field 'y' has the label's name", way_out="rename the field; 'y' is the label in every table"
        )
    if rows.is_empty():
        raise DataError(f"the data of '{system.name}' has no rows", way_out="check the file that the source reads")
    labels = system.labels(rows)
    if not system.task:
        ctx.note(f"task: {kind_of(labels)}, because the target is {str(labels.dtype).lower()}")
    found = clean_frame(system.contract, rows)
    if found.valid.is_empty():
        raise DataError(
            f"all {rows.height} rows of '{system.name}' were refused by the contract",
            why=_commonest(found.counts),
            way_out="correct the data, or loosen that field in the contract",
        )
    valid = found.valid.with_columns(labels.gather(found.valid["_row"]).alias("y"))
    _check_label(system.name, valid["y"])
    report = _report(ctx, rows, found, valid)
    for line in (check for check in report["checks"] if check.verdict == "warn"):
        ctx.note(f"{line.name}: {line.note}")
    return {"valid": valid, "quarantine": found.quarantine, "quality": report}


def _check_label(name: str, label: pl.Series) -> None:
    known = label.drop_nulls()
    if known.is_empty():
        raise DataError(
            f"the target of '{name}' is missing in every row", way_out="correct target= or the columns it reads"
        )
    if known.n_unique() < 2:
        raise DataError(
            f"the target of '{name}' is constant: {str(known[0]).lower()} in all {known.len()} labelled rows",
            why="there is nothing to learn",
            way_out="correct target=, or give data with both outcomes",
        )


def _report(ctx: StageContext, rows: pl.DataFrame, found: Cleaned, valid: pl.DataFrame) -> dict[str, Any]:
    system, contract = ctx.system, ctx.system.contract
    counts = found.counts
    unlabelled = valid["y"].null_count()
    checks = (
        quality.schema(contract, rows),
        quality.completeness(contract, rows),
        quality.ranges(counts),
        quality.corruption(contract, rows),
        quality.time_span(valid[system.time] if system.time else None),
        quality.duplicates(rows),
        quality.anomalies(contract, valid),
        quality.distributions(contract, valid),
        quality.business_rules(counts),
        quality.bias(valid, system.protected),
    )
    return {
        "rows": rows.height,
        "valid": valid.height,
        "quarantined": found.quarantine.height,
        "quarantined_share": found.quarantine.height / rows.height,
        "unlabelled": unlabelled,
        "unlabelled_share": unlabelled / valid.height,
        "task": kind_of(valid["y"]),
        "label_rate": None if valid["y"].dtype == pl.String else valid["y"].mean(),
        "missing_share": next(check.value for check in checks if check.name == "completeness"),
        "time_gap_share": next(check.value for check in checks if check.name == "time span"),
        "reasons": {k: v for k, v in counts.items() if k not in ("rows", "valid", "quarantined")},
        "notes": ctx.take("notes"),
        "checks": checks,
    }


def _commonest(counts: dict[str, int]) -> str:
    reasons = {k: v for k, v in counts.items() if k not in ("rows", "valid", "quarantined")}
    top = sorted(reasons, key=lambda name: -reasons[name])[:3]
    return ", ".join(f"{name} in {reasons[name]} rows" for name in top)
