"""History windows over whole frames: aggregates of the same entity's events in ``[t - window, t)``.

Values are summed in 64-bit fixed point, so the result does not depend on the order of addition and is the
same, to the bit, as the online store's running sums.

Rows are put in order of entity and moment once a stream of events; a window is then two positions in that order,
and its sum the difference of two running sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bluegold.features.specs import SATURATION, SCALE, HistorySpec
from bluegold.features.translate import evaluate, restore

__all__ = ["entity_codes", "event_frame", "event_values", "history_column", "history_columns"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def entity_codes(frame: pl.DataFrame, by: tuple[str, ...]) -> Ints:
    """A number from 0 for every distinct entity; -1 where a part of the key is missing.

    Example:
        >>> entity_codes(pl.DataFrame({"k": ["b", "a", None, "b"]}), ("k",)).tolist()
        [1, 0, -1, 1]
    """
    if len(by) == 1:
        keys = frame[by[0]].cast(pl.String)
    else:
        keys = frame.select(pl.concat_str([pl.col(name).cast(pl.String) for name in by], separator="\x1f")).to_series()
    levels = pl.Enum(keys.drop_nulls().unique().sort())
    return keys.cast(levels).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()


def event_values(frame: pl.DataFrame, spec: HistorySpec) -> tuple[Ints, Bools]:
    """Fixed-point value of every row and whether the row is an event at all (its value is known)."""
    if spec.value is None:
        return np.zeros(frame.height, dtype=np.int64), np.ones(frame.height, dtype=np.bool_)
    tree, inputs = spec.value.tree, list(spec.value.inputs)
    if tree is not None and tree.op == "column":
        values = frame[str(tree.value)].cast(pl.Float64)
    else:
        given = frame.select(inputs) if inputs else frame
        values = evaluate(given, [restore(spec.value.polars).cast(pl.Float64)]).to_series()
    floats = values.to_numpy()  # null is NaN there
    present = ~np.isnan(floats)
    scaled = np.clip(floats if present.all() else np.where(present, floats, 0.0), -SATURATION, SATURATION)
    scaled *= SCALE
    return np.rint(scaled, out=scaled).astype(np.int64), present


def event_frame(frame: pl.DataFrame, spec: HistorySpec, time: str) -> pl.DataFrame:
    """The events among clean rows: the key columns, ``_at`` (us since 1970) and ``_value`` (fixed point)."""
    values, present = event_values(frame, spec)
    return frame.select(*spec.by, pl.col(time).to_physical().alias("_at"), pl.Series("_value", values)).filter(
        pl.Series(present), pl.all_horizontal(pl.col(name).is_not_null() for name in spec.by)
    )


def history_column(frame: pl.DataFrame, spec: HistorySpec, time: str) -> pl.Series:
    """The history feature for every row of ``frame``, in its order.

    Args:
        frame: clean contract rows; every row is a question and an event.
        spec: the history.
        time: the time column.
    """
    return history_columns(frame, (spec,), time)[0]


def history_columns(
    frame: pl.DataFrame,
    specs: Sequence[HistorySpec],
    time: str,
    past: pl.DataFrame | None = None,
    *,
    events: bool = True,
    own: tuple[Ints, Bools] | None = None,
) -> list[pl.Series]:
    """Several history features over one stream of events (they differ in the aggregate only).

    Args:
        frame: clean contract rows; every row is a question and an event.
        specs: histories of one stream.
        time: the time column.
        past: events before or beside the frame's own, as :func:`event_frame` gives them.
        events: whether the frame's own rows are events, or only ask.
        own: what :func:`event_values` says of the frame, where it is known already.
    """
    first = specs[0]
    values, present = own or event_values(frame, first)
    if not events:
        present = np.zeros(frame.height, dtype=np.bool_)
    times: Ints = frame[time].to_physical().to_numpy()
    keys = frame.select(first.by)
    skipped = 0 if past is None else past.height
    if past is not None and skipped:
        keys = pl.concat([past.select(first.by), keys])
        times = np.concatenate((past["_at"].to_numpy(), times))
        values = np.concatenate((past["_value"].to_numpy(), values))
        present = np.concatenate((np.ones(skipped, dtype=np.bool_), present))
    codes = entity_codes(keys, first.by)
    windows = _windows(codes, times, present, first.window_us)
    ordered = values[windows.order]
    if not windows.complete:
        ordered = np.where(windows.events, ordered, 0)
    known = pl.Series("k", codes[skipped:] >= 0)
    columns = []
    for spec in specs:
        placed = np.empty(codes.size, dtype=np.int64 if spec.dtype == "i64" else np.float64)
        placed[windows.order] = _aggregate(spec.aggregate, ordered, windows)
        column = pl.Series(spec.name, placed[skipped:])
        if spec.dtype == "f64":
            column = column.fill_nan(None)
        if not known.all():
            column = pl.DataFrame([column, known]).select(pl.when("k").then(spec.name)).to_series()
        columns.append(column)
    return columns


class _Windows(NamedTuple):
    """Rows in order of entity and moment, and each one's window as positions in that order, end excluded.

    ``before`` is the number of events before each position, one longer than the order; ``complete`` says that every
    row is an event, so that positions and numbers of events are the same.
    """

    order: Ints
    events: Bools
    start: Ints
    stop: Ints
    before: Ints
    complete: bool

    @property
    def first(self) -> Ints:
        """Number of events before each window."""
        found: Ints = self.start if self.complete else self.before[self.start]
        return found

    @property
    def number(self) -> Ints:
        """Number of events in each window."""
        found: Ints = (self.stop if self.complete else self.before[self.stop]) - self.first
        return found


def _windows(codes: Ints, times: Ints, present: Bools, window_us: int) -> _Windows:
    order = _in_order(codes, times)
    key, since = _line_up(codes[order], times[order], window_us)
    fresh = np.ones(key.size, dtype=np.bool_)
    np.not_equal(key[1:], key[:-1], out=fresh[1:])
    stop = np.maximum.accumulate(np.where(fresh, np.arange(key.size), 0))
    start = np.searchsorted(key, since)
    complete = bool(present.all())
    events = present if complete else present[order]
    before = stop if complete else np.concatenate(([0], np.cumsum(events)))
    return _Windows(order, events, start, stop, before, complete)


def _in_order(codes: Ints, times: Ints) -> Ints:
    """Positions of the rows in order of entity and moment."""
    narrow = np.uint16 if codes.max(initial=0) < 2**16 - 2 else np.int64  # 16 bits are sorted by radix
    wanted = (codes + 1).astype(narrow)
    if bool(np.all(times[1:] >= times[:-1])):
        return np.argsort(wanted, kind="stable")
    by_time = np.argsort(times, kind="stable")
    found: Ints = by_time[np.argsort(wanted[by_time], kind="stable")]
    return found


def _line_up(entity: Ints, moment: Ints, window_us: int) -> tuple[Ints, Ints]:
    """Entity and moment as one ascending number, and the number where each one's window begins."""
    if not entity.size:
        return entity, entity
    origin = int(moment.min())
    width = int(moment.max()) - origin + 2
    base = entity + 1
    if (int(base.max()) + 1) * width < 2**62:
        since = np.maximum(moment - origin - window_us, 0)
        return base * width + (moment - origin), base * width + since
    distinct = np.unique(moment)  # moments too far apart for one number: count the distinct ones instead
    width = distinct.size + 1
    key = base * width + np.searchsorted(distinct, moment)
    return key, base * width + np.searchsorted(distinct, moment - window_us)


def _aggregate(kind: str, ordered: Ints, windows: _Windows) -> Any:
    """Values in the windows' order; NaN where there is none (the mean, minimum and maximum of nothing)."""
    count = windows.number
    if kind in {"count", "len"}:
        return count
    if kind in {"mean", "sum"}:
        running = np.concatenate(([0], np.cumsum(ordered)))
        total = (running[windows.stop] - running[windows.start]).astype(np.float64) / SCALE
        if kind == "sum":
            return total
        with np.errstate(invalid="ignore"):
            return total / count  # nothing of nothing is NaN
    pick = np.minimum if kind == "min" else np.maximum
    events = ordered if windows.complete else ordered[windows.events]
    extremes = _extremes(events, windows.first, count, pick).astype(np.float64) / SCALE
    return np.where(count > 0, extremes, np.nan)


def _extremes(ordered: Ints, start: Ints, count: Ints, pick: np.ufunc) -> Ints:
    """The extreme of ``ordered[start : start + count]`` for every window, from runs of doubling length.

    A window is covered by two runs of the largest power of two that fits (a sparse table).
    """
    result = np.zeros(count.size, dtype=np.int64)
    runs, length = ordered, 1
    while length <= int(count.max(initial=0)):
        fits = np.flatnonzero((count >= length) & (count < 2 * length))
        result[fits] = pick(runs[start[fits]], runs[start[fits] + count[fits] - length])
        runs, length = pick(runs[:-length], runs[length:]), 2 * length
    return result
