"""Cleaning of whole frames: every row is valid (perhaps flagged) or in quarantine with its reasons."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from bluegold.core.errors import DataError
from bluegold.features import array_columns
from bluegold.features.continuity import Continuity
from bluegold.features.fields import ContractSpec, FieldSpec
from bluegold.features.holes import is_hole
from bluegold.features.moments import moments
from bluegold.features.threads import side_by_side
from bluegold.features.translate import evaluate, restore

__all__ = ["EARLIEST", "LATEST", "POLARS_TYPES", "Cleaned", "clean_frame"]

POLARS_TYPES: dict[str, pl.DataType] = {
    "category": pl.String(),
    "text": pl.String(),
    "number": pl.Float64(),
    "integer": pl.Int64(),
    "flag": pl.Boolean(),
    "time": pl.Datetime("us"),
    "array": array_columns.TYPE,
}
EARLIEST, LATEST = dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1)  # noqa: DTZ001 - contract times are naive
Original = Callable[[pl.Series], pl.DataFrame]
Marks = tuple[list[pl.Series], list[pl.Series]]
EXACT = 2**53  # beyond it a float64 no longer tells neighbouring whole numbers apart


class Cleaned:
    """What cleaning found.

    Attributes:
        valid: contract columns in contract order, ``_row`` (row number in the input) and ``_flags`` (list of text).
        quarantine: the refused rows as they came, with ``_row`` and ``_reasons`` (list of text).
        counts: ``rows``, ``valid``, ``quarantined``, then one entry for each reason and flag that occurred.
    """

    def __init__(self, valid: pl.DataFrame, quarantine: pl.DataFrame, counts: dict[str, int]) -> None:
        self.valid, self.quarantine, self.counts = valid, quarantine, counts


def clean_frame(
    contract: Any,
    frame: pl.DataFrame,
    known: Mapping[str, tuple[str, ...]] | None = None,
    *,
    spoiled: Sequence[pl.Series] = (),
    continuity: Continuity | None = None,
    original: Original | None = None,
) -> Cleaned:
    """Hold every row of ``frame`` against the contract.

    Args:
        contract: a ``Contract`` class or its ``spec``.
        frame: rows with at least the contract's columns; other columns only survive in the quarantine.
        known: levels learned in training, per category field; without it only listed levels are checked.
        spoiled: what the reader found wrong, one boolean column a reason: such rows are refused.
        continuity: looks for repeated rows, silences and late rows across frames, and flags them.
        original: gives the rows of a mask as they came, where ``frame`` holds them converted.

    Raises:
        DataError: a column is missing or has a type that cannot hold the field.

    Example:
        >>> from bluegold.features.fields import FieldSpec
        >>> spec = ContractSpec(name="T", description="", fields=(FieldSpec(name="a", kind="number", ge=0),))
        >>> found = clean_frame(spec, pl.DataFrame({"a": [1.0, -1.0, None]}))
        >>> found.counts["valid"], found.quarantine["_reasons"].to_list()
        (1, [['a:outside'], ['a:missing']])
    """
    spec: ContractSpec = getattr(contract, "spec", contract)
    reasons: list[pl.Series] = list(spoiled)
    flags: list[pl.Series] = []
    columns: list[pl.Series] = []

    def judged(field: FieldSpec) -> Judged:
        levels = field.levels or tuple((known or {}).get(field.name, ()))
        return _judge(field, _typed(field, frame), frame, levels)

    work = [functools.partial(judged, field) for field in spec.fields]
    for column, refused, flagged in side_by_side(work, frame.height):
        columns.append(column)
        reasons += refused
        flags += flagged
    clean = pl.DataFrame(columns)
    for item in spec.rules:
        broken = ~evaluate(clean, [restore(item.expression.polars)]).to_series().fill_null(value=True)
        (reasons if item.broken == "refuse" else flags).append(broken.alias(f"rule:{item.name}"))
    return _assemble(frame, clean, (reasons, flags), continuity, original or frame.filter)


def _assemble(
    frame: pl.DataFrame, clean: pl.DataFrame, marks: Marks, continuity: Continuity | None, original: Original
) -> Cleaned:
    rows = pl.int_range(frame.height, dtype=pl.Int64, eager=True).alias("_row")
    reasons, flags = ([mark for mark in some if mark.any()] for some in marks)
    valid = clean.with_columns(rows)
    quarantine = frame.clear().with_columns(rows.clear(), pl.Series("_reasons", [], dtype=pl.List(pl.String)))
    if reasons:
        why = _listed(reasons, frame.height).alias("_reasons")
        bad = why.list.len() > 0
        valid = valid.filter(~bad)
        quarantine = original(bad).with_columns(rows.filter(bad), why.filter(bad))
        flags = [mark.filter(~bad) for mark in flags]
    if continuity is not None:
        flags += continuity.judge(valid)
    valid = valid.with_columns(_listed(flags, valid.height).alias("_flags"))
    counts = {"rows": frame.height, "valid": valid.height, "quarantined": quarantine.height}
    for mark in sorted([*reasons, *flags], key=lambda mark: -int(mark.sum())):
        if number := int(mark.sum()):
            counts[mark.name] = counts.get(mark.name, 0) + number
    return Cleaned(valid, quarantine, counts)


def _listed(marks: list[pl.Series], height: int) -> pl.Series:
    """One list of names a row, from one boolean column a name: rows with the same marks share their list."""
    codes = np.zeros(height, dtype=np.int64)
    lists: list[list[str]] = [[]]
    for mark in marks:
        codes = codes * 2 + mark.to_numpy()
        kept = np.flatnonzero(np.bincount(codes, minlength=1))
        places = np.zeros(2 * len(lists), dtype=np.int64)
        places[kept] = np.arange(kept.size)
        codes = places[codes]
        lists = [[*lists[code // 2], *([mark.name] if code % 2 else [])] for code in kept.tolist()]
    return pl.Series(lists, dtype=pl.List(pl.String)).gather(codes)


def _column(field: FieldSpec, frame: pl.DataFrame) -> pl.Series:
    if field.name in frame.columns:
        return frame[field.name]
    if field.missing == "flag":
        return pl.Series(field.name, [None] * frame.height, dtype=POLARS_TYPES[field.kind])
    raise DataError(
        f"column '{field.name}' is missing",
        why=f"the data has {', '.join(frame.columns[:20]) or 'no columns'}",
        way_out="add the column, or let the contract say missing='flag'",
    )


def _given(field: FieldSpec, frame: pl.DataFrame) -> pl.Series:
    """Where the input holds a value at all (NaN is none, nor is a word that says so in a text)."""
    column = _column(field, frame)
    given = column.is_not_null()
    if column.dtype == pl.String and field.kind in {"number", "flag", "time"}:
        return (given & ~is_hole(column).fill_null(value=False)).alias(field.name)
    return (given & ~column.is_nan().fill_null(value=False)).alias(field.name) if column.dtype.is_float() else given


def _typed(field: FieldSpec, frame: pl.DataFrame) -> pl.Series:
    """The column in the contract's type; what cannot be converted becomes null."""
    column, kind = _column(field, frame), field.kind
    source = column.dtype
    if source == pl.Null:
        return column.cast(POLARS_TYPES["integer" if field.integer else kind])
    if kind in {"category", "text"} and (
        source == pl.String or source.is_integer() or isinstance(source, pl.Categorical | pl.Enum)
    ):
        return column.cast(pl.String)
    if kind == "number" and (source.is_numeric() or source == pl.String):
        return _number(field, column)
    if kind == "flag" and source == pl.Boolean:
        return column
    if kind == "flag" and (source.is_integer() or source == pl.String):
        table = {"0": False, "1": True, "false": False, "true": True}
        return column.cast(pl.String).str.to_lowercase().replace_strict(table, default=None, return_dtype=pl.Boolean)
    lists = array_columns.typed(column) if kind == "array" else None
    if lists is not None:
        return lists
    if kind == "time" and (source == pl.String or source.is_temporal()):
        return _time(field, column)
    raise DataError(
        f"column '{field.name}' has type {source}",
        why=f"the contract says {kind}",
        way_out="convert the column where the data is read",
    )


def _number(field: FieldSpec, column: pl.Series) -> pl.Series:
    if field.integer and column.dtype.is_integer():
        return column.cast(pl.Int64, strict=False)
    floats = column.cast(pl.Float64, strict=False)
    if not floats.is_finite().all():
        floats = (
            floats.to_frame().select(pl.when(pl.col(column.name).is_finite()).then(pl.col(column.name))).to_series()
        )
    if not field.integer:
        return floats
    whole = (floats == floats.floor()) & (floats.abs() <= EXACT)
    return (
        pl.DataFrame([floats, whole.alias("_whole")])
        .select(pl.when(pl.col("_whole")).then(pl.col(column.name)).cast(pl.Int64))
        .to_series()
    )


def _time(field: FieldSpec, column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        if not field.utc:
            return moments(column)
        plain = moments(column.str.strip_suffix("Z") if column.str.ends_with("Z").any() else column)
        rest = plain.is_null() & column.is_not_null()
        return plain.scatter(rest.arg_true(), _with_offset(column.filter(rest))) if rest.any() else plain
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is not None:
        if not field.utc:
            raise DataError(
                f"column '{field.name}' has the time zone {column.dtype.time_zone}",
                why="the contract says a local clock without offset",
                way_out="use bg.time(utc=True), or drop the zone where the data is read",
            )
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column.cast(pl.Datetime("us"))


def _with_offset(text: pl.Series) -> pl.Series:
    try:
        return text.str.to_datetime(time_unit="us", time_zone="UTC", strict=False).dt.replace_time_zone(None)
    except pl.exceptions.PolarsError:  # nothing in it looks like a moment
        return pl.Series(text.name, [None] * text.len(), dtype=pl.Datetime("us"))


Judged = tuple[pl.Series, list[pl.Series], list[pl.Series]]


def _judge(field: FieldSpec, column: pl.Series, frame: pl.DataFrame, levels: tuple[str, ...]) -> Judged:
    """The clean column, the marks that refuse a row and the marks that flag one.

    Extremes of the column are looked at first: where they keep the limits, so does every row.
    """
    name = field.name
    refused: list[pl.Series] = []
    flagged: list[pl.Series] = []
    if column.null_count():
        given = _given(field, frame)
        refused.append((given & column.is_null()).alias(f"{name}:type"))
        (refused if field.missing == "refuse" else flagged).append((~given).alias(f"{name}:missing"))
    if field.kind == "category" and levels:
        known = column.cast(pl.Enum(list(dict.fromkeys(levels))), strict=False)  # what is no level becomes null
        if known.null_count() > column.null_count():
            strange = (known.is_null() & column.is_not_null()).alias(f"{name}:unknown")
            (refused if field.unknown == "refuse" else flagged).append(strange)
    if field.kind in {"category", "text"} and _top(column.str.len_bytes()) > field.longest:
        refused.append((column.str.len_chars() > field.longest).fill_null(value=False).alias(f"{name}:outside"))
    if field.kind == "time":
        first, last = column.min(), column.max()
        if isinstance(first, dt.datetime) and isinstance(last, dt.datetime) and (first < EARLIEST or last >= LATEST):
            within = column.is_between(EARLIEST, LATEST, closed="left")
            refused.append((~within).fill_null(value=False).alias(f"{name}:outside"))
    if field.kind == "array":
        column, spoiled, outside = array_columns.judge_column(field, column)
        refused.append(spoiled.alias(f"{name}:type"))
        ending = "clipped" if field.outside == "clip" else "outside"
        (refused if field.outside == "refuse" else flagged).append(outside.alias(f"{name}:{ending}"))
    if field.kind == "number" and _beyond(field, column):
        outside = _outside(field, column)
        if field.outside == "clip":
            flagged.append(outside.alias(f"{name}:clipped"))
            column = column.clip(field.ge, field.le)
        else:
            (refused if field.outside == "refuse" else flagged).append(outside.alias(f"{name}:outside"))
    return column, refused, flagged


def _top(lengths: pl.Series) -> int:
    found = lengths.max()
    return found if isinstance(found, int) else 0


def _beyond(field: FieldSpec, column: pl.Series) -> bool:
    """Whether an extreme of the column is outside the limits."""
    least, most = column.min(), column.max()
    low = isinstance(least, int | float) and field.ge is not None and least < field.ge
    return low or (isinstance(most, int | float) and field.le is not None and most > field.le)


def _outside(field: FieldSpec, column: pl.Series) -> pl.Series:
    outside = pl.repeat(value=False, n=column.len(), eager=True)
    if field.ge is not None:
        outside = outside | (column < field.ge)
    if field.le is not None:
        outside = outside | (column > field.le)
    return outside.fill_null(value=False)
