"""Checks on a data set, each a value with what it means; none of them changes a row."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import polars as pl

from bluegold.features.fields import ContractSpec

__all__ = [
    "Check",
    "anomalies",
    "bias",
    "business_rules",
    "completeness",
    "corruption",
    "distributions",
    "duplicates",
    "ranges",
    "schema",
    "time_span",
]

MOST = 20
FAR = 6.0


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found.

    Args:
        name: the check.
        value: its one number.
        unit: of the number.
        verdict: ``pass``, or ``warn`` when a person should look.
        note: one sentence.
        details: numbers by column, group or reason; at most 20 entries.
    """

    name: str
    value: float
    unit: str
    verdict: Literal["pass", "warn"]
    note: str
    details: dict[str, Any] = {}


def schema(contract: ContractSpec, rows: pl.DataFrame) -> Check:
    """Are the contract's columns there, and what else is?"""
    missing = [name for name in contract.names if name not in rows.columns]
    extra = [name for name in rows.columns if name not in contract.names]
    return Check(
        name="schema",
        value=float(len(missing)),
        unit="columns missing",
        verdict="warn" if missing else "pass",
        note=f"{len(contract.names) - len(missing)} contract columns found, {len(extra)} others never reach the model",
        details={
            "missing": missing[:MOST],
            "types": {n: str(rows[n].dtype) for n in contract.names if n in rows.columns},
        },
    )


def completeness(contract: ContractSpec, rows: pl.DataFrame) -> Check:
    """How much is missing, by contract column (NaN counts as missing)."""
    shares = {}
    for name in contract.names:
        if name in rows.columns:
            column = rows[name]
            missing = column.null_count()
            if column.dtype.is_float():
                missing += int(column.is_nan().sum())
            shares[name] = missing / max(rows.height, 1)
    worst = max(shares, key=lambda name: shares[name], default="")
    return Check(
        name="completeness",
        value=shares.get(worst, 0.0),
        unit="share missing, worst column",
        verdict="warn" if shares.get(worst, 0.0) > 0.05 else "pass",
        note=f"worst column: {worst}" if shares.get(worst) else "nothing is missing",
        details=_largest(shares),
    )


def ranges(counts: dict[str, int]) -> Check:
    """How many values were outside their limits or unknown (reasons and flags of the contract)."""
    ends = (":outside", ":clipped", ":unknown", ":length", ":type")
    found = {name: n for name, n in counts.items() if name.endswith(ends)}
    return _count("ranges", "values", found, counts["rows"], "outside limits, unknown or clipped")


def business_rules(counts: dict[str, int]) -> Check:
    """How many rows broke a rule across fields."""
    found = {name: n for name, n in counts.items() if name.startswith("rule:")}
    return _count("business rules", "rows", found, counts["rows"], "broken")


def corruption(contract: ContractSpec, rows: pl.DataFrame) -> Check:
    """Infinite numbers, control characters and broken encodings."""
    found = {}
    for name in contract.names:
        if name not in rows.columns:
            continue
        column = rows[name]
        if column.dtype.is_float():
            found[name] = int(column.is_infinite().sum())
        elif column.dtype == pl.String:
            found[name] = int(column.str.contains(r"[\x00-\x08\x0b-\x1f\x{fffd}]").sum())
    return _count("corruption", "values", {k: v for k, v in found.items() if v}, rows.height, "damaged")


def duplicates(rows: pl.DataFrame) -> Check:
    """Rows that repeat another row in every column; they may be legitimate, so none is deleted."""
    try:
        repeats = rows.height - rows.n_unique() if rows.width else 0
    except pl.exceptions.PolarsError:  # nested columns have no equality in this engine
        plain = [name for name, kind in rows.schema.items() if not kind.is_nested()]
        repeats = rows.height - rows.select(plain).n_unique() if plain else 0
    return Check(
        name="duplicates",
        value=float(repeats),
        unit="rows",
        verdict="warn" if repeats > 0.01 * rows.height else "pass",
        note=f"{repeats} rows repeat another one in every column; reported, not deleted",
    )


def time_span(times: pl.Series | None) -> Check:
    """From when to when, and where nothing happened for long.

    Args:
        times: the system's time column, when it has one.

    Example:
        >>> import datetime as dt
        >>> days = pl.Series([dt.datetime(2024, 1, d) for d in (1, 2, 3, 9)])
        >>> time_span(days).details["largest_gap_s"]
        518400.0
    """
    known = times.drop_nulls().sort() if times is not None else pl.Series([], dtype=pl.Datetime("us"))
    if known.len() < 2:
        return Check(name="time span", value=0.0, unit="share of empty spans", verdict="pass", note="no time column")
    gaps = known.diff().drop_nulls().dt.total_microseconds() / 1e6
    first, last = known[0], known[-1]
    span = (last - first).total_seconds()
    bins = min(200, known.len() // 5 or 1)
    width = max(span / bins, 1e-6)
    offset = (known - first).dt.total_microseconds() / 1e6
    filled = (offset / width).floor().clip(0, bins - 1).n_unique()
    empty = 1.0 - filled / bins
    at = int(gaps.arg_max() or 0)
    return Check(
        name="time span",
        value=empty,
        unit="share of empty spans",
        verdict="warn" if empty > 0.05 else "pass",
        note=f"{first:%Y-%m-%d} to {last:%Y-%m-%d}; longest silence {_float(gaps.max()) / 3600:.1f} h from {known[at]}",
        details={
            "first": first.isoformat(),
            "last": last.isoformat(),
            "largest_gap_s": _float(gaps.max()),
            "median_gap_s": _float(gaps.median()),
            "spans": bins,
        },
    )


def anomalies(contract: ContractSpec, valid: pl.DataFrame) -> Check:
    """Share of numbers further than six robust deviations from their median (Leys et al. 2013)."""
    shares = {}
    for field in contract.fields:
        if field.kind == "number":
            column = valid[field.name].drop_nulls().cast(pl.Float64)
            middle = _float(column.median())
            spread = 1.4826 * _float((column - middle).abs().median())
            if spread > 0:
                shares[field.name] = _float(((column - middle).abs() > FAR * spread).mean())
    worst = max(shares, key=lambda name: shares[name], default="")
    return Check(
        name="anomalies",
        value=shares.get(worst, 0.0),
        unit="share of values, worst column",
        verdict="warn" if shares.get(worst, 0.0) > 0.05 else "pass",
        note=f"worst column: {worst}" if shares.get(worst) else "no far values",
        details=_largest(shares),
    )


def distributions(contract: ContractSpec, valid: pl.DataFrame) -> Check:
    """Quantiles of numbers, and columns that say nothing because they hold one value."""
    details: dict[str, Any] = {}
    constant = []
    for field in contract.fields:
        column = valid[field.name]
        if field.kind == "number" and column.null_count() < column.len():
            number = column.cast(pl.Float64)
            details[field.name] = [_float(number.quantile(q)) for q in (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0)]
        if column.drop_nulls().n_unique() <= 1:
            constant.append(field.name)
    return Check(
        name="distributions",
        value=float(len(constant)),
        unit="constant columns",
        verdict="warn" if constant else "pass",
        note=f"constant: {', '.join(constant[:MOST])}" if constant else "every column varies",
        details={"quantiles (0, 1, 25, 50, 75, 99, 100 %)": dict(list(details.items())[:60])},
    )


def bias(valid: pl.DataFrame, protected: tuple[str, ...]) -> Check:
    """Group shares and label rates of the protected attributes, before any model exists.

    Args:
        valid: clean rows with the protected columns and the label ``y`` (the rate of classes is left open).
        protected: their names.
    """
    details: dict[str, Any] = {}
    smallest = 1.0
    rate = pl.lit(None, dtype=pl.Float64) if valid["y"].dtype == pl.String else pl.col("y").mean()
    for name in protected:
        tally = (
            valid.group_by(pl.col(name).cast(pl.String).fill_null("missing").alias("group"))
            .agg(pl.len().alias("n"), rate.alias("rate"))
            .sort("n", "group", descending=[True, False])
        )
        shares = {row["group"]: row["n"] / valid.height for row in tally.iter_rows(named=True)}
        smallest = min(smallest, *shares.values())
        details[name] = {
            row["group"]: {"share": row["n"] / valid.height, "label_rate": row["rate"]}
            for row in tally.head(MOST).iter_rows(named=True)
        }
    return Check(
        name="bias",
        value=smallest if protected else 0.0,
        unit="share of the smallest group",
        verdict="warn" if protected and smallest < 0.01 else "pass",
        note="group shares and label rates" if protected else "the system names no protected attribute",
        details=details,
    )


def _count(name: str, unit: str, found: dict[str, int], rows: int, word: str) -> Check:
    total = sum(found.values())
    return Check(
        name=name,
        value=float(total),
        unit=unit,
        verdict="warn" if total > 0.01 * max(rows, 1) else "pass",
        note=f"{total} {unit} {word}",
        details=_largest({key: float(value) for key, value in found.items()}),
    )


def _largest(found: dict[str, float]) -> dict[str, float]:
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:MOST])


def _float(value: Any) -> float:
    return float(value) if value is not None else 0.0
