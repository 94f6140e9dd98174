"""Features of whole frames with polars: lookups and histories first, then the expressions, then the matrix."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bluegold.core.errors import DataError
from bluegold.features.specs import FeatureSpec, HistorySpec, LookupSpec, ProgramSpec
from bluegold.features.threads import side_by_side
from bluegold.features.translate import evaluate, restore
from bluegold.features.vectors import columns_of
from bluegold.features.windows import event_values, history_columns

__all__ = ["Recalled", "feature_frame", "feature_matrix", "table_rows"]

Matrix = NDArray[np.float64]

COLUMN_TYPES: dict[str, pl.DataType] = {
    "f64": pl.Float64(),
    "i64": pl.Int64(),
    "bool": pl.Boolean(),
    "str": pl.String(),
}


class Recalled(NamedTuple):
    """What a piece of a larger whole has to know of the rest.

    ``past`` are events outside the frame, by the stream of their history; ``rows`` gives lookup tables
    as :func:`table_rows` does, by the stream of their lookup.  Without ``events`` the frame's rows only ask.
    """

    past: Mapping[bytes, pl.DataFrame] = {}
    rows: Mapping[bytes, Callable[[], pl.DataFrame]] = {}
    events: bool = True


#: Rows whose cells are copied at a time, so that a block of the matrix stays in the processor's cache.
BLOCK = 8192


def feature_frame(
    spec: ProgramSpec,
    frame: pl.DataFrame,
    tables: Mapping[str, pl.DataFrame],
    recalled: Recalled | None = None,
) -> pl.DataFrame:
    """One row of features for every clean row, point-in-time correct, in matrix order.

    Args:
        spec: the program.
        frame: clean rows.
        tables: lookup tables.
        recalled: what is known from before the frame, when it is one piece of more.

    Raises:
        DataError: a contract column or a lookup table is missing.
    """
    missing = [name for name in spec.contract.names if name not in frame.columns]
    if missing:
        raise DataError(f"column '{missing[0]}' is missing", way_out="clean the rows with the system's contract first")
    known = frame.select(spec.contract.names)
    beside = _beside(spec, known, tables, recalled or Recalled())
    beside += [columns_of(vector, known[vector.field]) for vector in spec.vectors]
    base = pl.concat([known, *beside], how="horizontal")
    plain = {item.name: _plain(item) for item in spec.expressions}
    wanted = [item for item in spec.expressions if plain[item.name] is None]
    inputs = dict.fromkeys(name for item in wanted for name in item.expression.inputs)
    computed = base[:, :0]
    if wanted:
        given = base.select(list(inputs)) if inputs else base
        computed = evaluate(given, [restore(item.expression.polars).alias(item.name) for item in wanted])
    done = set(computed.columns)
    return pl.DataFrame(
        [computed[name] if name in done else base[plain.get(name) or name].alias(name) for name in spec.names]
    )


def _plain(item: FeatureSpec) -> str | None:
    """The column that a feature is, when it is one as it stands."""
    tree = item.expression.tree
    return str(tree.value) if tree is not None and tree.op == "column" else None


def _beside(
    spec: ProgramSpec, known: pl.DataFrame, tables: Mapping[str, pl.DataFrame], recalled: Recalled
) -> list[pl.DataFrame]:
    """What rows get from elsewhere: looked-up columns and histories, each stream of events once."""
    streams: dict[bytes, list[HistorySpec]] = {}
    values: dict[str, tuple[NDArray[np.int64], NDArray[np.bool_]]] = {}
    for history in spec.histories:
        streams.setdefault(history.stream, []).append(history)
        if _value(history) not in values:  # streams of other entities may share it
            values[_value(history)] = event_values(known, history)

    def look(lookup: LookupSpec) -> pl.DataFrame:
        rows = recalled.rows.get(lookup.stream)
        return _looked_up(spec, lookup, known, table_rows(spec, lookup, tables) if rows is None else rows())

    def remember(members: list[HistorySpec]) -> pl.DataFrame:
        past = recalled.past.get(members[0].stream)
        own = values[_value(members[0])]
        return pl.DataFrame(history_columns(known, members, spec.time, past, events=recalled.events, own=own))

    work = [functools.partial(look, lookup) for lookup in spec.lookups]
    work += [functools.partial(remember, members) for members in streams.values()]
    return side_by_side(work, known.height)


def _value(history: HistorySpec) -> str:
    return history.value.polars if history.value else ""


def feature_matrix(spec: ProgramSpec, features: pl.DataFrame) -> NDArray[np.float64]:
    """Features as float64 (rows, columns): missing and infinite numbers NaN, categories their code or -1."""
    rows = features.height
    each = zip(spec.names, spec.kinds, strict=True)
    columns = side_by_side([functools.partial(_cells, spec, features[name], kind) for name, kind in each], rows)
    matrix = np.empty((rows, len(columns)), dtype=np.float64)
    borders = np.linspace(0, rows, (os.cpu_count() or 1) + 1).astype(int).tolist()
    side_by_side([_filling(matrix, columns, *part) for part in itertools.pairwise(borders)], rows)
    return matrix


def _filling(matrix: Matrix, columns: list[Matrix], first: int, last: int) -> Callable[[], None]:
    def fill() -> None:
        for begin in range(first, last, BLOCK):
            block = slice(begin, min(begin + BLOCK, last))
            for position, column in enumerate(columns):
                matrix[block, position] = column[block]

    return fill


def _cells(spec: ProgramSpec, column: pl.Series, kind: str) -> NDArray[np.float64]:
    if kind == "category":
        levels = spec.vocabularies[column.name]
        if column.dtype != pl.String:
            column = column.cast(pl.String)
        codes = column.cast(pl.Enum(levels), strict=False).to_physical().cast(pl.Float64)
        return codes.fill_null(-1.0).to_numpy()
    numbers: Matrix = column.cast(pl.Float64).to_numpy()  # null is NaN there
    infinite = np.isinf(numbers)
    return np.where(infinite, np.nan, numbers) if infinite.any() else numbers


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


def _looked_up(spec: ProgramSpec, lookup: LookupSpec, known: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    names = [column.name for column in lookup.columns]
    if not lookup.at:
        found = known.select(lookup.by).join(rows, on=list(lookup.by), how="left", maintain_order="left")
        return found.select(names)
    left = known.select(list(dict.fromkeys((*lookup.by, spec.time)))).with_row_index("_order")
    ordered = left[spec.time].is_sorted()
    found = (left if ordered else left.sort(spec.time)).join_asof(
        rows.rename({lookup.at: "_at"}),
        left_on=spec.time,
        right_on="_at",
        by=list(lookup.by),
        strategy="backward",
        check_sortedness=False,
        coalesce=False,
    )
    if not ordered:
        found = found.sort("_order")
    keep = pl.col("_at").is_not_null() & pl.all_horizontal(pl.col(name).is_not_null() for name in lookup.by)
    if lookup.within_us is not None:
        keep &= (pl.col(spec.time) - pl.col("_at")).dt.total_microseconds() <= lookup.within_us
    return found.select(pl.when(keep).then(pl.col(name)).alias(name) for name in names)
