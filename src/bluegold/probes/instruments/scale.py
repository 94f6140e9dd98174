"""Timing of bounded samples and their scaling to one GB, always saying which bytes."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

__all__ = ["GB", "arrow_bytes", "seconds", "tell"]

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


def tell(rows: int, size: int, what: str) -> str:
    """Which bytes a figure in s/GB counts.

    Example:
        >>> tell(1000, 2_500_000, "Arrow bytes")
        '1,000 rows, 2.5 MB of Arrow bytes, scaled to 1 GB'
    """
    return f"{rows:,} rows, {size / 1e6:,.1f} MB of {what}, scaled to 1 GB"
