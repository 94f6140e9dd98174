"""Columns of fixed-shape arrays held against the contract, as :mod:`bluegold.features.arrays` does with one value."""

from __future__ import annotations

import polars as pl

from bluegold.features.arrays import flatten, size_of
from bluegold.features.fields import FieldSpec

__all__ = ["TYPE", "judge_column", "typed"]

TYPE = pl.List(pl.Float64)
DEEPEST = 8


def typed(column: pl.Series) -> pl.Series | None:
    """A column of nested lists, fixed-size arrays or JSON texts as flat lists; None when it is something else."""
    if column.dtype == pl.String:
        parsed = column.str.json_decode(pl.List(pl.Float64))
        return parsed.alias(column.name)
    if isinstance(column.dtype, pl.List | pl.Array):
        inner = column.dtype.inner
        if isinstance(column.dtype, pl.List) and inner == pl.Float64:
            return column
        flat = [None if value is None else flatten(value, DEEPEST) for value in column.to_list()]
        return pl.Series(column.name, flat, dtype=TYPE, strict=False)
    return None


def judge_column(field: FieldSpec, column: pl.Series) -> tuple[pl.Series, pl.Series, pl.Series]:
    """The column with its limits kept, where a value is no array of the shape, and where it is beyond the limits."""
    finite = column.list.eval(pl.element().is_finite().fill_null(value=False)).list.all()
    sound = (column.list.len() == size_of(field)) & finite
    spoiled = column.is_not_null() & ~sound.fill_null(value=False)
    low, high = field.ge, field.le
    outside = pl.repeat(value=False, n=column.len(), eager=True)
    if low is not None:
        outside = outside | (column.list.min() < low)
    if high is not None:
        outside = outside | (column.list.max() > high)
    outside = (outside & ~spoiled).fill_null(value=False)
    if field.outside == "clip" and outside.any():
        column = column.list.eval(pl.element().clip(low, high))
    return column, spoiled, outside
