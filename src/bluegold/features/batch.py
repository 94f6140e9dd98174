"""Features of whole frames with polars: lookups and histories first, then the expressions, then the matrix."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bluegold.core.errors import DataError
from bluegold.features.specs import LookupSpec, ProgramSpec
from bluegold.features.translate import evaluate, restore
from bluegold.features.windows import history_column

__all__ = ["feature_frame", "feature_matrix", "table_rows"]

COLUMN_TYPES: dict[str, pl.DataType] = {
    "f64": pl.Float64(),
    "i64": pl.Int64(),
    "bool": pl.Boolean(),
    "str": pl.String(),
}


def feature_frame(spec: ProgramSpec, frame: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """One row of features for every clean row, point-in-time correct, in matrix order.

    Raises:
        DataError: a contract column or a lookup table is missing.
    """
    missing = [name for name in spec.contract.names if name not in frame.columns]
    if missing:
        raise DataError(f"column '{missing[0]}' is missing", way_out="clean the rows with the system's contract first")
    known = frame.select(spec.contract.names)
    columns = [known]
    columns += [_looked_up(spec, lookup, known, tables) for lookup in spec.lookups]
    columns += [history_column(known, history, spec.time).to_frame() for history in spec.histories]
    base = pl.concat(columns, how="horizontal")
    computed = {item.name: restore(item.expression.polars) for item in spec.expressions}
    return evaluate(base, [computed.get(name, pl.col(name)).alias(name) for name in spec.names])


def feature_matrix(spec: ProgramSpec, features: pl.DataFrame) -> NDArray[np.float64]:
    """Features as float64 (rows, columns): missing and infinite numbers NaN, categories their code or -1."""
    matrix = np.empty((features.height, len(spec.names)), dtype=np.float64)
    for position, (name, kind) in enumerate(zip(spec.names, spec.kinds, strict=True)):
        column = features[name]
        if kind == "category":
            levels = spec.vocabularies[name]
            codes = column.replace_strict(list(levels), list(range(len(levels))), default=-1, return_dtype=pl.Float64)
            matrix[:, position] = codes.fill_null(-1.0).to_numpy()
        else:
            numbers = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
            matrix[:, position] = np.where(np.isfinite(numbers), numbers, np.nan)
    return matrix


def table_rows(spec: ProgramSpec, lookup: LookupSpec, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The lookup's table in the program's types, one row a key (and moment), the later of repeats; sorted by moment.

    Raises:
        DataError: the table or a column is missing.
    """
    if lookup.table not in tables:
        raise DataError(f"lookup table '{lookup.table}' is missing", way_out="give it in tables=")
    table = tables[lookup.table]
    moments = [pl.col(lookup.at).cast(pl.Datetime("us"))] if lookup.at else []
    if lookup.at and getattr(table[lookup.at].dtype, "time_zone", None) is not None:
        moments = [pl.col(lookup.at).dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(pl.Datetime("us"))]
    columns = []
    for column in lookup.columns:
        value = pl.col(column.name).cast(COLUMN_TYPES[column.dtype])
        columns.append(value.fill_nan(None) if column.dtype == "f64" else value)
    types = {field.name: "i64" if field.integer else "str" for field in spec.contract.fields}
    types |= {field.name: "bool" for field in spec.contract.fields if field.kind == "flag"}
    try:
        rows = table.select([pl.col(name).cast(COLUMN_TYPES[types[name]]) for name in lookup.by] + moments + columns)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"lookup table '{lookup.table}' does not fit",
            why=str(error).splitlines()[0],
            way_out="give it the columns and types it had in training",
        ) from error
    keys = [*lookup.by, *([lookup.at] if lookup.at else [])]
    rows = rows.drop_nulls(keys).unique(keys, keep="last", maintain_order=True)
    return rows.sort(lookup.at, maintain_order=True) if lookup.at else rows


def _looked_up(
    spec: ProgramSpec, lookup: LookupSpec, known: pl.DataFrame, tables: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    names = [column.name for column in lookup.columns]
    rows = table_rows(spec, lookup, tables)
    if not lookup.at:
        found = known.select(lookup.by).join(rows, on=list(lookup.by), how="left", maintain_order="left")
        return found.select(names)
    left = known.select(list(dict.fromkeys((*lookup.by, spec.time)))).with_row_index("_order").sort(spec.time)
    found = left.join_asof(
        rows.rename({lookup.at: "_at"}),
        left_on=spec.time,
        right_on="_at",
        by=list(lookup.by),
        strategy="backward",
        check_sortedness=False,
        coalesce=False,
    ).sort("_order")
    keep = pl.col("_at").is_not_null() & pl.all_horizontal(pl.col(name).is_not_null() for name in lookup.by)
    if lookup.within_us is not None:
        keep &= (pl.col(spec.time) - pl.col("_at")).dt.total_microseconds() <= lookup.within_us
    return found.select(pl.when(keep).then(pl.col(name)).alias(name) for name in names)
