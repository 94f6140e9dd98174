"""How rows are divided into training, validation and hold-out."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Protocol

import numpy as np
import polars as pl

from bluegold.core.errors import DataError, DefinitionError

__all__ = ["PARTS", "Split", "by_column", "by_share", "by_time"]

PARTS = ("train", "validate", "holdout", "unused")
Moment = dt.datetime | dt.date | str


class Split(Protocol):
    """Says for every row which part it belongs to."""

    def assign(self, rows: pl.DataFrame, time: pl.Series | None) -> pl.Series:
        """One of :data:`PARTS` for every row; ``time`` is the system's time column, when it has one."""


class TimeSplit:
    """Parts by the system's time; see :func:`by_time`."""

    def __init__(self, bounds: dict[str, dt.datetime | None]) -> None:
        self.bounds = bounds

    def assign(self, rows: pl.DataFrame, time: pl.Series | None) -> pl.Series:  # noqa: ARG002 - the protocol's shape
        """Part of every row by its time; a row without time is unused.

        Raises:
            DataError: the system has no time.
        """
        if time is None:
            raise DataError("a split by time needs a time", way_out="give bg.System(..., time='field')")
        frame = time.alias("t").to_frame()
        found = pl.lit("unused")
        for part in ("holdout", "validate", "train"):
            found = pl.when(self._within(part)).then(pl.lit(part)).otherwise(found)
        return frame.select(found.alias("part")).to_series()

    def _within(self, part: str) -> pl.Expr:
        start, end = self.bounds[f"{part}_from"], self.bounds[f"{part}_until"]
        after = pl.col("t").is_not_null() if start is None else pl.col("t") >= start
        return after if end is None else after & (pl.col("t") < end)


def by_time(
    *,
    holdout_from: Moment,
    validate_from: Moment,
    train_until: Moment | None = None,
    validate_until: Moment | None = None,
    holdout_until: Moment | None = None,
    train_from: Moment | None = None,
) -> Split:
    """Train on the past, choose on what follows, judge on what comes last.  Each part includes its start, not its end.

    Args:
        holdout_from: start of the hold-out.
        validate_from: start of validation.
        train_until: end of training; the start of validation by default.
        validate_until: end of validation; the start of the hold-out by default.
        holdout_until: end of the hold-out; open by default.
        train_from: start of training; open by default.

    Raises:
        DefinitionError: the parts overlap or run backwards, or a moment cannot be read.

    Example:
        >>> split = by_time(validate_from="2020-01-02", holdout_from="2020-01-03")
        >>> days = pl.Series([dt.datetime(2020, 1, d) for d in (1, 2, 3)])
        >>> split.assign(pl.DataFrame(), days).to_list()
        ['train', 'validate', 'holdout']
    """
    bounds = {
        "train_from": _moment(train_from),
        "train_until": _moment(train_until or validate_from),
        "validate_from": _moment(validate_from),
        "validate_until": _moment(validate_until or holdout_from),
        "holdout_from": _moment(holdout_from),
        "holdout_until": _moment(holdout_until),
    }
    order = [(name, moment) for name, moment in bounds.items() if moment is not None]
    for (left, early), (right, late) in itertools.pairwise(order):
        if early > late:
            raise DefinitionError(
                f"split by time: {left} {early} is after {right} {late}",
                why="training, validation and hold-out must follow each other",
                way_out="put the moments in order",
            )
    return TimeSplit(bounds)


def _moment(value: Moment | None) -> dt.datetime | None:
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError as error:
            raise DefinitionError(f"split by time: '{value}' is no moment", way_out="write 2013-09-01") from error
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - contract times are naive
    if value is not None and value.tzinfo is not None:
        value = value.astimezone(dt.timezone.utc).replace(tzinfo=None)
    return value


class ShareSplit:
    """Parts by chance; see :func:`by_share`."""

    def __init__(self, validate: float, holdout: float, seed: int) -> None:
        self.validate, self.holdout, self.seed = validate, holdout, seed

    def assign(self, rows: pl.DataFrame, time: pl.Series | None) -> pl.Series:  # noqa: ARG002 - the protocol's shape
        """Part of every row by the hash of its row number."""
        draw = _draws(rows.height, self.seed)
        part = np.where(draw < self.holdout, "holdout", "train")
        part = np.where((draw >= self.holdout) & (draw < self.holdout + self.validate), "validate", part)
        return pl.Series("part", part.tolist(), dtype=pl.String)


def by_share(*, validate: float = 0.2, holdout: float = 0.2, seed: int = 7) -> Split:
    """Parts by chance: the same row number always falls into the same part.

    Args:
        validate: share of the rows for validation, 0 to 1.
        holdout: share of the rows for the hold-out, 0 to 1.
        seed: another seed gives another division.

    Raises:
        DefinitionError: the shares leave nothing for training.

    Example:
        >>> by_share(seed=1).assign(pl.DataFrame({"a": range(1000)}), None).value_counts(sort=True)["part"][0]
        'train'
    """
    if not (0 < validate < 1 and 0 < holdout < 1 and validate + holdout < 1):
        raise DefinitionError(
            f"split by share: validate {validate} and holdout {holdout} leave no room for training",
            way_out="both above 0 and together below 1",
        )
    return ShareSplit(validate, holdout, seed)


class ColumnSplit:
    """Parts by a column that the data already carries; see :func:`by_column`."""

    def __init__(self, column: str, holdout: str, validate: float | str, seed: int) -> None:
        self.column, self.holdout, self.validate, self.seed = column, holdout, validate, seed

    def assign(self, rows: pl.DataFrame, time: pl.Series | None) -> pl.Series:  # noqa: ARG002 - the protocol's shape
        """Part of every row by its value; an empty value is unused.

        Raises:
            DataError: the column is missing or never says hold-out.
        """
        if self.column not in rows.columns:
            raise DataError(
                f"split column '{self.column}' is missing", way_out=f"use one of {', '.join(rows.columns[:20])}"
            )
        value = rows[self.column].cast(pl.String).alias("v")
        if not (value == self.holdout).any():
            raise DataError(
                f"split column '{self.column}' never says '{self.holdout}'",
                way_out=f"it says {', '.join(sorted(value.drop_nulls().unique().to_list())[:10])}",
            )
        chosen: pl.Series = (
            value == self.validate
            if isinstance(self.validate, str)
            else pl.Series(_draws(rows.height, self.seed) < self.validate)
        )
        return (
            pl.DataFrame([value, chosen.alias("c")])
            .select(
                pl.when(pl.col("v").is_null())
                .then(pl.lit("unused"))
                .when(pl.col("v") == self.holdout)
                .then(pl.lit("holdout"))
                .when(pl.col("c"))
                .then(pl.lit("validate"))
                .otherwise(pl.lit("train"))
                .alias("part")
            )
            .to_series()
        )


def by_column(column: str, *, holdout: str, validate: float | str = 0.2, seed: int = 7) -> Split:
    """Parts by a column of the source, for data that comes with its own test rows.

    Args:
        column: the column; it may be outside the contract.
        holdout: the value that marks hold-out rows.
        validate: the value that marks validation rows, or the share of the other rows drawn for it.
        seed: seed of that draw.

    Example:
        >>> rows = pl.DataFrame({"part": ["train", "test", "dev"]})
        >>> by_column("part", holdout="test", validate="dev").assign(rows, None).to_list()
        ['train', 'holdout', 'validate']
    """
    if isinstance(validate, float) and not 0 < validate < 1:
        raise DefinitionError(f"split by column: validate {validate} is no share", way_out="between 0 and 1")
    return ColumnSplit(column, holdout, validate, seed)


def _draws(count: int, seed: int) -> np.ndarray:
    """A number in [0, 1) for every row number: splitmix64 (Steele, Lea & Flood 2014), so it never changes."""
    with np.errstate(over="ignore"):
        state = np.arange(count, dtype=np.uint64) + np.uint64(seed * 1_000_003 % 2**64)
        state *= np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) / float(2**53)
