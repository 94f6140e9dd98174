"""Reading a file in pieces of bounded size, from any earlier place on: Parquet by rows, CSV by bytes.

CSV fields stay text, so that the contract judges them one by one.  A block ends behind a line, never inside quotes.
A block that polars cannot read is read line by line; lines with too many fields or broken text are refused there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import polars as pl

from bluegold.core.errors import DataError

__all__ = ["CHUNK_BYTES", "CHUNK_ROWS", "Piece", "pieces", "size_of"]

CHUNK_ROWS = 98_304
CHUNK_BYTES = 6 * 1024 * 1024
LONGEST_LINE = 256 * 1024 * 1024
_MARK = "\ufeff".encode()


class Piece(NamedTuple):
    """Some rows, what is wrong with how they were written, and the place behind them (rows or bytes)."""

    frame: pl.DataFrame
    spoiled: tuple[pl.Series, ...]
    end: int


def pieces(source: Path, start: int = 0) -> Iterator[Piece]:
    """The rows of a ``.parquet`` or ``.csv`` file from a place on that an earlier :class:`Piece` named.

    The same file gives the same pieces whenever and from wherever it is read.

    Raises:
        DataError: the file is missing, of another kind, or cannot be read.
    """
    kind = source.suffix.lower()
    if kind not in {".parquet", ".csv"}:
        raise DataError(f"'{source}' is neither .parquet nor .csv", way_out="convert it to one of these")
    if not source.is_file():
        raise DataError(f"'{source}' does not exist or is no file", way_out="give the path of a Parquet or CSV file")
    try:
        yield from _parquet(source, start) if kind == ".parquet" else _csv(source, start)
    except (OSError, csv.Error, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"'{source}' cannot be read", why=" ".join(str(error).split())[:300], way_out="give a readable file"
        ) from error


def size_of(source: Path) -> int:
    """How far the places of a file go: rows of a Parquet file, bytes of a CSV file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        if source.suffix.lower() == ".csv":
            return source.stat().st_size
        return int(pl.scan_parquet(source).select(pl.len()).collect().item())
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"'{source}' cannot be read", why=" ".join(str(error).split())[:300], way_out="give a readable file"
        ) from error


def _parquet(source: Path, start: int) -> Iterator[Piece]:
    for frame in pl.scan_parquet(source).slice(start).collect_batches(chunk_size=CHUNK_ROWS, maintain_order=True):
        start += frame.height
        yield Piece(frame, (), start)


def _csv(source: Path, start: int) -> Iterator[Piece]:
    with source.open("rb") as file:
        names = _header(file, source)
        if start:
            file.seek(start)
        while block := _block(file):
            frame, spoiled = _rows(block, names)
            yield Piece(frame, spoiled, file.tell())


def _header(file: BinaryIO, source: Path) -> list[str]:
    line = file.readline(LONGEST_LINE).removeprefix(_MARK)
    names = next(csv.reader([line.decode("utf-8", "replace")]), [])
    if not names or len(set(names)) != len(names):
        raise DataError(
            f"'{source}' has no header" if not names else f"the header of '{source}' names a column twice",
            way_out="give the columns different names in the first line",
        )
    return names


def _block(file: BinaryIO) -> bytes:
    """Whole lines of about :data:`CHUNK_BYTES`; the file stands behind them."""
    begin, size = file.tell(), CHUNK_BYTES
    while True:
        raw = file.read(size)
        if len(raw) < size:
            return raw
        end = _last_end(raw)
        if end:
            file.seek(begin + end)
            return raw[:end]
        if size >= LONGEST_LINE:
            raise DataError(f"no line ends within {size >> 20} MB", why="a quote may be open", way_out="close it")
        file.seek(begin)
        size *= 4


def _last_end(raw: bytes) -> int:
    """Where the last line ends that no quote is open in; 0 when there is none."""
    quotes = raw.count(b'"')
    end = raw.rfind(b"\n") + 1
    while end and (quotes - raw.count(b'"', end)) % 2:
        end = raw.rfind(b"\n", 0, end - 1) + 1
    return end


def _rows(block: bytes, names: list[str]) -> tuple[pl.DataFrame, tuple[pl.Series, ...]]:
    schema = dict.fromkeys(names, pl.String())
    try:
        return pl.read_csv(block, has_header=False, schema=schema, raise_if_empty=False), ()
    except pl.exceptions.PolarsError:
        return _line_by_line(block, names)


def _line_by_line(block: bytes, names: list[str]) -> tuple[pl.DataFrame, tuple[pl.Series, ...]]:
    rows, long, broken = [], [], []
    for fields in csv.reader(io.StringIO(block.decode("utf-8", "replace"), newline="")):
        row: list[str | None] = [field or None for field in fields[: len(names)]]
        rows.append(row + [None] * (len(names) - len(row)))
        long.append(len(fields) > len(names))
        broken.append(any("\ufffd" in field for field in fields))
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String()), orient="row")
    return frame, (pl.Series("row:fields", long, dtype=pl.Boolean), pl.Series("row:text", broken, dtype=pl.Boolean))
