"""History windows over whole frames: aggregates of the same entity's events in ``[t - window, t)``.

Values are summed in 64-bit fixed point, so the result does not depend on the order of addition and is the
same, to the bit, as the online store's running sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bluegold.features.specs import SATURATION, SCALE, HistorySpec
from bluegold.features.translate import evaluate, restore

__all__ = ["entity_codes", "event_values", "history_column"]

Ints = NDArray[np.int64]


def entity_codes(frame: pl.DataFrame, by: tuple[str, ...]) -> Ints:
    """A number from 0 for every distinct entity; -1 where a part of the key is missing.

    Example:
        >>> entity_codes(pl.DataFrame({"k": ["b", "a", None, "b"]}), ("k",)).tolist()
        [1, 0, -1, 1]
    """
    keys = frame.select(pl.concat_str([pl.col(name).cast(pl.String) for name in by], separator="\x1f")).to_series()
    levels = pl.Enum(keys.drop_nulls().unique().sort())
    return keys.cast(levels).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()


def event_values(frame: pl.DataFrame, spec: HistorySpec) -> tuple[Ints, NDArray[np.bool_]]:
    """Fixed-point value of every row and whether the row is an event at all (its value is known)."""
    if spec.value is None:
        return np.zeros(frame.height, dtype=np.int64), np.ones(frame.height, dtype=np.bool_)
    values = evaluate(frame, [restore(spec.value.polars).cast(pl.Float64)]).to_series().fill_null(float("nan"))
    floats = values.to_numpy()
    present = ~np.isnan(floats)
    scaled = np.rint(np.clip(np.where(present, floats, 0.0), -SATURATION, SATURATION) * SCALE)
    return scaled.astype(np.int64), present


def history_column(frame: pl.DataFrame, spec: HistorySpec, time: str) -> pl.Series:
    """The history feature for every row of ``frame``, in its order.

    Args:
        frame: clean contract rows; every row is a question and an event.
        spec: the history.
        time: the time column.
    """
    codes = entity_codes(frame, spec.by)
    times = frame[time].to_physical().to_numpy()
    values, present = event_values(frame, spec)
    known = codes >= 0
    chosen = np.flatnonzero(present & known)
    chosen = chosen[np.lexsort((times[chosen], codes[chosen]))]
    moments = _distinct(times[chosen])
    width = moments.size + 1
    keys = codes[chosen] * width + np.searchsorted(moments, times[chosen])
    start = np.searchsorted(keys, codes * width + np.searchsorted(moments, times - spec.window_us))
    stop = np.searchsorted(keys, codes * width + np.searchsorted(moments, times))
    count = stop - start
    ordered = values[chosen]
    result, filled = _aggregate(spec.aggregate, ordered, (start, stop), count)
    dtype = pl.Int64 if spec.dtype == "i64" else pl.Float64
    column = pl.DataFrame({"v": result, "k": known & filled})
    return column.select(pl.when("k").then("v").cast(dtype).alias(spec.name)).to_series()


def _distinct(times: Ints) -> Ints:
    """The distinct values in ascending order (``np.unique`` hashes, which costs several times the sort)."""
    ordered = np.sort(times, kind="stable")
    first: Ints = ordered[np.concatenate((ordered[:1] == ordered[:1], ordered[1:] != ordered[:-1]))]
    return first


def _aggregate(kind: str, ordered: Ints, ends: tuple[Any, Any], count: Ints) -> tuple[Any, NDArray[np.bool_]]:
    """Values and where they exist (the mean, minimum and maximum of nothing do not)."""
    start, stop = ends
    if kind in {"count", "len"}:
        return count, np.ones(count.size, dtype=np.bool_)
    if kind in {"mean", "sum"}:
        running = np.concatenate(([0], np.cumsum(ordered)))
        total = (running[stop] - running[start]).astype(np.float64) / SCALE
        if kind == "sum":
            return total, np.ones(count.size, dtype=np.bool_)
        return total / np.maximum(count, 1).astype(np.float64), count > 0
    extremes = _extremes(ordered, start, count, np.minimum if kind == "min" else np.maximum)
    return extremes.astype(np.float64) / SCALE, count > 0


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
