"""Results for an end user's own store: pages of rows packed into SQLite, found by row number.

A wide result costs a relational store one insert a row; packed, it costs one insert for thousands.  A page is an Arrow
file of its rows, so that any tool reads it and nothing is lost; the table beside it says which rows it holds.
"""

from __future__ import annotations

import io
import os
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import polars as pl

from bluegold.core.errors import StoreError

__all__ = ["ResultPages"]

PAGE_ROWS = 16_384
PAGES_AHEAD = 4
_TABLES = """
CREATE TABLE IF NOT EXISTS pages (
    first INTEGER PRIMARY KEY,
    rows INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT
"""


class ResultPages:
    """A SQLite file of packed rows; appending is one transaction, which is on the disk when it returns.

    Args:
        path: the SQLite file; made when missing.

    Raises:
        StoreError: the file cannot be opened or written.

    Example:
        >>> import pathlib, tempfile
        >>> with ResultPages(pathlib.Path(tempfile.mkdtemp()) / "results.db") as store:
        ...     _ = store.append([pl.DataFrame({"id": ["a", "b"], "score": [0.25, 0.75]})])
        ...     store.row(1)
        {'id': 'b', 'score': 0.75}
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._database = sqlite3.connect(path)
            self._database.execute("PRAGMA page_size = 65536")
            self._database.execute("PRAGMA journal_mode = TRUNCATE")  # appended pages are then written once
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(_TABLES)
        except sqlite3.Error as error:
            raise self._error(error) from error

    def __enter__(self) -> ResultPages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        try:
            found = self._database.execute("SELECT first + rows FROM pages ORDER BY first DESC LIMIT 1").fetchone()
        except sqlite3.Error as error:
            raise self._error(error) from error
        return int(found[0]) if found else 0

    def append(self, frames: Iterable[pl.DataFrame]) -> int:
        """Add rows behind those that are there, all or none of them; the number of the first."""
        first = at = self.rows
        try:
            with self._database:
                for rows, data in _packed(page for frame in frames for page in frame.iter_slices(PAGE_ROWS)):
                    self._database.execute("INSERT INTO pages VALUES (?, ?, ?)", (at, rows, data))
                    at += rows
        except sqlite3.Error as error:
            raise self._error(error) from error
        return first

    def row(self, number: int) -> dict[str, object] | None:
        """The row of a number, from 0, or None."""
        try:
            found = self._database.execute(
                "SELECT first, data FROM pages WHERE first <= ? ORDER BY first DESC LIMIT 1", (number,)
            ).fetchone()
        except sqlite3.Error as error:
            raise self._error(error) from error
        if found is None:
            return None
        page = pl.read_ipc(io.BytesIO(found[1]))
        return page.row(number - found[0], named=True) if number - found[0] < page.height else None

    def frames(self) -> Iterable[pl.DataFrame]:
        """All rows, page by page."""
        for (data,) in self._database.execute("SELECT data FROM pages ORDER BY first"):
            yield pl.read_ipc(io.BytesIO(data))

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        self._database.close()

    def _error(self, error: sqlite3.Error) -> StoreError:
        return StoreError(
            f"the results file '{self._path}' failed", why=str(error), way_out="check its folder, rights and free space"
        )


def _packed(pages: Iterable[pl.DataFrame]) -> Iterator[tuple[int, memoryview]]:
    """Every page's rows and bytes, in order; the next ones are packed while one is written."""
    coming: deque[Future[tuple[int, memoryview]]] = deque()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for page in pages:
            coming.append(pool.submit(_page, page))
            if len(coming) > PAGES_AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def _page(page: pl.DataFrame) -> tuple[int, memoryview]:
    buffer = io.BytesIO()
    page.write_ipc(buffer, compression="lz4")
    return page.height, buffer.getbuffer()
