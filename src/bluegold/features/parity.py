"""Parity: the one-row path and the batch path give the same model input, to the bit.

Rows take the whole online way: JSON, typed decoding, cleaning, the online store, compiled expressions.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from bluegold.core.errors import FieldError
from bluegold.features.online import OnlineStore
from bluegold.features.program import FeatureProgram
from bluegold.features.row import RowProgram
from bluegold.stores.key_value_lmdb import KeyValueLmdb

__all__ = ["Mismatch", "ParityReport", "parity"]

MOST_EXAMPLES = 10
STRETCHES = 10


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """One cell that differs; ``online`` is the error's text where the online way refused the row."""

    row: int
    column: str
    batch: str
    online: str


class ParityReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison of both paths found.

    Attributes:
        rows: rows compared.
        columns: features compared a row.
        mismatches: cells that differ in any bit.
        examples: the first few of them.
        fallbacks: expressions that the one-row path could not compile.
        features: digest of the program compared.
    """

    rows: int
    columns: int
    mismatches: int
    examples: tuple[Mismatch, ...]
    fallbacks: tuple[str, ...]
    features: str


def parity(
    program: FeatureProgram,
    frame: pl.DataFrame,
    tables: Mapping[str, pl.DataFrame],
    sample: int = 10_000,
    seed: int = 7,
    *,
    matrix: NDArray[np.float64] | None = None,
) -> ParityReport:
    """Compare both paths on rows of ``frame``.

    Args:
        program: the fitted program.
        frame: clean rows; all of them are history in the batch path, ``sample`` of them are compared.
        tables: lookup tables.
        sample: how many rows, drawn as stretches of neighbours in time; all when there are fewer.
        seed: seed of the draw.
        matrix: what the batch path gave for ``frame`` (rows, features); computed here when not given.

    Example:
        >>> import bluegold as bg
        >>> from bluegold.features.program import fit_program
        >>> class Row(bg.Contract):
        ...     x: float = bg.number()
        >>> system = bg.System("tiny", contract=Row, target=pl.col("y") > 0)
        >>> system.feature("third", pl.col("x") / 3)
        >>> rows = pl.DataFrame({"x": [1.0, 2.0]})
        >>> parity(fit_program(system, rows, {}), rows, {}).mismatches
        0
    """
    chosen, past = _stretches(program, frame, sample, seed)
    batch = program.matrix(program.features(frame, tables)[chosen]) if matrix is None else matrix[chosen]
    with tempfile.TemporaryDirectory(prefix="bluegold-parity-") as folder:
        kv = KeyValueLmdb(Path(folder), durable=False)
        try:
            store = OnlineStore(kv, program)
            store.materialise(past, tables)
            found, fallbacks = _compare(program, frame[chosen], batch, store)
        finally:
            kv.close()
    numbered = [msgspec.structs.replace(item, row=int(chosen[item.row])) for item in found[:MOST_EXAMPLES]]
    return ParityReport(
        rows=len(chosen),
        columns=len(program.names),
        mismatches=len(found),
        examples=tuple(numbered),
        fallbacks=fallbacks,
        features=program.digest,
    )


def _stretches(program: FeatureProgram, frame: pl.DataFrame, sample: int, seed: int) -> tuple[Any, pl.DataFrame]:
    """Row numbers to compare, and the rows within reach of their windows: what the online store must know."""
    draw = np.random.default_rng(seed)
    if not program.time or frame.height <= sample:
        return np.sort(draw.permutation(frame.height)[:sample]), frame
    order = frame[program.time].arg_sort().to_numpy()
    length = -(-sample // STRETCHES)
    places = frame.height // length
    starts = np.sort(draw.choice(places, min(STRETCHES, places), replace=False)) * length
    parts = [order[start : start + length] for start in starts]
    reach = max((spec.window_us for spec in program.histories), default=0)
    moments = frame[program.time]
    within = pl.Series(np.zeros(frame.height, dtype=bool))
    for part in parts:
        first, last = moments[int(part[0])], moments[int(part[-1])]
        within |= (moments >= first - dt.timedelta(microseconds=reach)) & (moments <= last)
    return np.sort(np.concatenate(parts))[:sample], frame.filter(within)


def _compare(
    program: FeatureProgram, rows: pl.DataFrame, batch: Any, store: OnlineStore
) -> tuple[list[Mismatch], tuple[str, ...]]:
    online, reader = RowProgram(program), store.reader()
    records = rows.select(program.contract.names).iter_rows(named=True)
    found: list[Mismatch] = []
    for number, (record, wanted) in enumerate(zip(records, batch, strict=True)):
        try:
            [row] = online.decode(msgspec.json.encode(record))
            values, _ = online.clean(row)
            vector = np.asarray(online.vector(values, reader), dtype=np.float64)
        except FieldError as error:
            found += [Mismatch(row=number, column=name, batch="", online=str(error)) for name in program.names]
            continue
        differs = (vector.view(np.int64) != wanted.view(np.int64)) & ~(np.isnan(vector) & np.isnan(wanted))
        for column in np.flatnonzero(differs):
            found.append(
                Mismatch(
                    row=number,
                    column=program.names[column],
                    batch=float(wanted[column]).hex(),
                    online=float(vector[column]).hex(),
                )
            )
    return found, online.fallbacks
