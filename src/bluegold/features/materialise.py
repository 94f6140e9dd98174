"""Past rows and lookup tables as entries for the online store, with polars."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from bluegold.features.batch import table_rows
from bluegold.features.specs import HistorySpec, LookupSpec, ProgramSpec
from bluegold.features.windows import event_values

__all__ = ["past_events", "table_entries"]

#: An odd constant (the golden ratio in 64 bits) that spreads neighbouring values over all identities.
SPREAD = np.uint64(0x9E3779B97F4A7C15)
Key = tuple[Any, ...]


def past_events(
    spec: ProgramSpec, history: HistorySpec, frame: pl.DataFrame, after: dt.datetime | None
) -> Iterator[tuple[Key, int, int, int]]:
    """Entity, moment (us), fixed-point value and identity of every event, sorted by entity and moment.

    The identity comes from the value and a number that tells repeats at the same moment apart, so the same
    event keeps it in every extract of the data.
    """
    values, present = event_values(frame, history)
    keys = [pl.col(name) for name in history.by]
    events = frame.select(
        *keys,
        pl.col(spec.time).to_physical().alias("_at"),
        pl.Series("_value", values),
    ).filter(pl.Series(present), pl.all_horizontal(key.is_not_null() for key in keys))
    if after is not None:
        events = events.filter(pl.col("_at") >= pl.lit(after).cast(pl.Datetime("us")).to_physical())
    same = [*history.by, "_at", "_value"]
    events = events.with_columns(_repeat=pl.int_range(pl.len(), dtype=pl.Int64).over(same))
    with np.errstate(over="ignore"):
        identity = events["_value"].to_numpy().astype(np.uint64) * SPREAD + events["_repeat"].to_numpy().astype(
            np.uint64
        )
    events = events.with_columns(pl.Series("_identity", identity)).sort([*history.by, "_at", "_identity"])
    width = len(history.by)
    for row in events.drop("_repeat").iter_rows():
        yield row[:width], row[width], row[width + 1], row[width + 2]


def table_entries(
    spec: ProgramSpec, lookup: LookupSpec, tables: Mapping[str, pl.DataFrame]
) -> Iterator[tuple[Key, int | None, tuple[Any, ...]]]:
    """Key, moment (us, None for a fixed table) and the looked-up values of every table row."""
    rows = table_rows(spec, lookup, tables)
    if lookup.at:
        rows = rows.with_columns(pl.col(lookup.at).to_physical())
    width = len(lookup.by)
    for row in rows.iter_rows():
        if lookup.at:
            yield row[:width], row[width], row[width + 1 :]
        else:
            yield row[:width], None, row[width:]
