"""Side by side: independent work on large frames, and the next piece while this one is worked on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ahead", "side_by_side"]

T = TypeVar("T")
#: Below so many rows, threads cost more than they give.
FEW = 20_000


def side_by_side(work: Sequence[Callable[[], T]], rows: int) -> list[T]:
    """The results of independent pieces of work, in their order; in threads when there are many rows.

    Example:
        >>> side_by_side([lambda: 1, lambda: 2], rows=10)
        [1, 2]
    """
    threads = min(len(work), os.cpu_count() or 1)
    if threads < 2 or rows < FEW:
        return [one() for one in work]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda one: one(), work))


def ahead(source: Iterator[T]) -> Iterator[T]:
    """The same items, each made by a thread while the one before is used; an error comes where its item would.

    Example:
        >>> list(ahead(iter([1, 2, 3])))
        [1, 2, 3]
    """
    end = object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, source, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, source, end)
            yield item  # type: ignore[misc] # what is not the end is an item
