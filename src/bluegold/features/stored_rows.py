"""Rows of look-up tables for a whole frame, read from the online store in bulk.

The store packs every row by itself, for requests that want one.  A piece of a file meets thousands of them: their
moments and, where they are all numbers, their values are taken from the packed bytes as arrays.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from bluegold.features.batch import COLUMN_TYPES
from bluegold.features.keys import BIAS, MOMENT, entity_key, moment_key
from bluegold.features.specs import LookupSpec
from bluegold.stores.protocols import KeyValueSnapshot

__all__ = ["stored_rows"]

Pair = tuple[bytes, bytes]
_decode = msgspec.msgpack.Decoder(list[tuple[Any, ...]]).decode
#: msgpack's marks of a short array, of a longer one, and of a 64-bit float with its eight bytes.
SHORT, LONG, FLOAT, FLOAT_BYTES = 0x90, b"\xdd", 0xCB, 9


def stored_rows(state: KeyValueSnapshot, spec: LookupSpec, asking: pl.DataFrame, span: tuple[int, int]) -> pl.DataFrame:
    """The stored rows that a frame's rows can meet, as :func:`bluegold.features.batch.table_rows` gives a table's.

    Args:
        state: the store.
        spec: the lookup.
        asking: clean rows.
        span: their first and last moment (us since 1970); of no interest to a fixed table.
    """
    keys = list(asking.select(spec.by).unique().drop_nulls().iter_rows())
    numbers: list[int] = []
    pairs: list[Pair] = []
    for key in keys:
        met = _met(state, spec, spec.stream + entity_key(key), span)
        numbers.append(len(met))
        pairs += met
    whose = np.repeat(np.arange(len(keys)), numbers)
    columns = [
        pl.Series(name, [key[place] for key in keys], dtype=asking.schema[name]).gather(whose)
        for place, name in enumerate(spec.by)
    ]
    if spec.at:
        columns.append(pl.Series(spec.at, _moments([place for place, _ in pairs])).cast(pl.Datetime("us")))
    rows = pl.DataFrame([*columns, *_values(spec, [row for _, row in pairs])])
    return rows.sort(spec.at, maintain_order=True) if spec.at else rows


def _met(state: KeyValueSnapshot, spec: LookupSpec, prefix: bytes, span: tuple[int, int]) -> list[Pair]:
    """What is stored of one key: the latest row at the span's begin, and those inside it."""
    if not spec.at:
        fixed = state.get(prefix)
        return [] if fixed is None else [(prefix, fixed)]
    first = state.floor(prefix + moment_key(span[0]), prefix)
    found = [] if first is None else [first]
    return found + state.between(prefix + moment_key(span[0] + 1), prefix + moment_key(span[1] + 1))


def _moments(places: list[bytes]) -> NDArray[np.int64]:
    """The moments at the ends of keys."""
    ends = b"".join([place[-MOMENT.size :] for place in places])
    return (np.frombuffer(ends, dtype=">u8").astype(np.uint64) ^ np.uint64(BIAS)).view(np.int64)


def _values(spec: LookupSpec, rows: list[bytes]) -> list[pl.Series]:
    """The stored rows' values, column by column."""
    width = len(spec.columns)
    matrix = _floats(rows, width) if all(column.dtype == "f64" for column in spec.columns) else None
    if matrix is not None:
        return [pl.Series(column.name, matrix[:, place]).fill_nan(None) for place, column in enumerate(spec.columns)]
    held: list[Any] = [()] * width
    if rows:
        held = list(zip(*_decode(LONG + len(rows).to_bytes(4, "big") + b"".join(rows)), strict=True))
    return [
        pl.Series(column.name, values, dtype=COLUMN_TYPES[column.dtype])
        for column, values in zip(spec.columns, held, strict=True)
    ]


def _floats(rows: list[bytes], width: int) -> NDArray[np.float64] | None:
    """Rows of floats as a matrix, what is missing as NaN; None when some row is packed in another way."""
    length = 1 + FLOAT_BYTES * width
    if width > 15:
        return None
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    whole = np.flatnonzero(lengths == length)
    packed = np.frombuffer(b"".join([rows[row] for row in whole.tolist()]), dtype=np.uint8).reshape(-1, length)
    if not ((packed[:, 0] == SHORT + width).all() and (packed[:, 1::FLOAT_BYTES] == FLOAT).all()):
        return None
    matrix = np.full((len(rows), width), np.nan)
    values = packed[:, 1:].reshape(-1, width, FLOAT_BYTES)[:, :, 1:]
    matrix[whole] = np.ascontiguousarray(values).view(">f8")[:, :, 0]
    others = np.flatnonzero(lengths != length)
    if others.size:
        some = LONG + others.size.to_bytes(4, "big") + b"".join([rows[row] for row in others.tolist()])
        matrix[others] = np.array(_decode(some), dtype=np.float64)  # None is NaN there
    return matrix
