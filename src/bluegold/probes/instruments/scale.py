"""Timing of bounded samples and their scaling to one GB, always saying which bytes."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from typing import Any

import polars as pl

from bluegold.probes.scratch import NotMeasured

__all__ = ["GB", "arrow_bytes", "repeated", "seconds", "tell"]

GB = 1e9


def arrow_bytes(frame: pl.DataFrame) -> int:
    """Size of a frame as an uncompressed Arrow file.

    Example:
        >>> import polars as pl
        >>> arrow_bytes(pl.DataFrame({"a": [1.0] * 1000})) > 8000
        True
    """
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="uncompressed")
    return buffer.tell()


def seconds(work: Callable[[], Any], times: int = 3) -> float:
    """Duration of a piece of work: the median of several runs, after one that warms caches and is not counted.

    Example:
        >>> seconds(lambda: None) < 1.0
        True
    """
    work()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def repeated(frame: pl.DataFrame, rows: int) -> pl.DataFrame:
    """A frame with exactly that many rows: its own, over again where they are too few to be timed.

    Raises:
        NotMeasured: it has none.

    Example:
        >>> import polars as pl
        >>> repeated(pl.DataFrame({"a": [1, 2]}), 5)["a"].to_list()
        [1, 2, 1, 2, 1]
    """
    if frame.is_empty():
        raise NotMeasured("there is no row to measure with, after the contract refused what it refuses")
    return pl.concat([frame] * -(-rows // frame.height)).head(rows)


def tell(own: int, rows: int, size: int, what: str) -> str:
    """Which bytes a figure in s/GB counts.

    Example:
        >>> tell(569, 100_000, 3_200_000, "Arrow")
        '569 rows repeated to 100,000, 3.2 MB of Arrow, scaled to 1 GB'
    """
    counted = f"{own:,} rows" if own >= rows else f"{own:,} rows repeated to {rows:,}"
    return f"{counted}, {size / 1e6:,.1f} MB of {what}, scaled to 1 GB"
