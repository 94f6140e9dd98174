"""Reading a file in pieces of bounded size, from any earlier place on: Parquet by rows, CSV by bytes.

A block of CSV ends behind a line, never inside quotes; :mod:`bluegold.production.csv_blocks` makes a frame of it.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import polars as pl

from bluegold.core.errors import DataError
from bluegold.production.csv_blocks import BlockReader

__all__ = ["CHUNK_BYTES", "CHUNK_ROWS", "Piece", "pieces", "size_of"]

CHUNK_ROWS = 131_072
CHUNK_BYTES = 12 * 1024 * 1024
LONGEST_LINE = 256 * 1024 * 1024
TAIL = 64 * 1024
_MARK = "\ufeff".encode()
_OTHERS = (
    (b"\xff\xfe", "UTF-16", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16", "save it as UTF-8"),
    (b"\x1f\x8b", "gzip", "decompress it"),
    (b"\x28\xb5\x2f\xfd", "zstd", "decompress it"),
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet", "save it as CSV"),
    (b"PAR1", "Parquet", "name it .parquet"),
)


class Piece(NamedTuple):
    """Some rows, what is wrong with how they were written, and the place behind them (rows or bytes).

    ``original`` gives the rows of a mask as they were written, where ``frame`` may not hold them so.
    """

    frame: pl.DataFrame
    spoiled: tuple[pl.Series, ...]
    end: int
    original: Callable[[pl.Series], pl.DataFrame] | None = None


def pieces(source: Path, start: int = 0, numbers: Iterable[str] = ()) -> Iterator[Piece]:
    """The rows of a ``.parquet`` or ``.csv`` file from a place on that an earlier :class:`Piece` named.

    The same file gives the same pieces whenever and from wherever it is read.

    Args:
        source: the file.
        start: the place.
        numbers: columns of a CSV file that the contract holds for numbers.

    Raises:
        DataError: the file is missing, of another kind, or cannot be read.
    """
    kind = source.suffix.lower()
    if kind not in {".parquet", ".csv"}:
        raise DataError(f"'{source}' is neither .parquet nor .csv", way_out="convert it to one of these")
    if not source.is_file():
        raise DataError(f"'{source}' does not exist or is no file", way_out="give the path of a Parquet or CSV file")
    try:
        yield from _parquet(source, start) if kind == ".parquet" else _csv(source, start, numbers)
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


def _csv(source: Path, start: int, numbers: Iterable[str]) -> Iterator[Piece]:
    with source.open("rb") as file:
        names = _header(file, source)
        reader, start = BlockReader(names, numbers), start or file.tell()
        for raw in _blocks(file.fileno(), start):
            block, start = reader.read(raw), start + len(raw)
            yield Piece(block.frame, block.spoiled, start, block.original)


def _header(file: BinaryIO, source: Path) -> list[str]:
    line = file.readline(LONGEST_LINE).removeprefix(_MARK)
    for beginning, kind, way_out in _OTHERS:
        if line.startswith(beginning):
            raise DataError(f"'{source}' is no UTF-8 text", why=f"it begins as {kind}", way_out=way_out)
    names = next(csv.reader([line.decode("utf-8", "replace")]), [])
    if not names or len(set(names)) != len(names):
        raise DataError(
            f"'{source}' has no header" if not names else f"the header of '{source}' names a column twice",
            way_out="give the columns different names in the first line",
        )
    return names


def _blocks(file: int, at: int) -> Iterator[bytes]:
    """Whole lines of about :data:`CHUNK_BYTES`; where a block ends depends on nothing but where it begins."""
    while raw := _block(file, at):
        yield raw
        at += len(raw)


def _block(file: int, at: int) -> bytes:
    """One block: its end is looked for before it is read, so that it is in memory once."""
    room = CHUNK_BYTES
    while True:
        looked = min(TAIL, room)
        tail = _read(file, looked, at + room - looked)
        if len(tail) < looked:  # the file ends here
            return _read(file, room, at)
        raw = _read(file, room - looked + (tail.rfind(b"\n") + 1 or looked), at)
        end = _last_end(raw)
        if end:
            return raw if end == len(raw) else raw[:end]
        if room >= LONGEST_LINE:
            raise DataError(f"no line ends within {room >> 20} MB", why="a quote may be open", way_out="close it")
        room *= 4


def _read(file: int, size: int, at: int) -> bytes:
    raw = os.pread(file, size, at)
    while len(raw) < size and (more := os.pread(file, size - len(raw), at + len(raw))):
        raw += more
    return raw


def _last_end(raw: bytes) -> int:
    """Where the last line ends that no quote is open in; 0 when there is none."""
    end = raw.rfind(b"\n") + 1
    if b'"' not in raw:
        return end
    quotes = raw.count(b'"')
    while end and (quotes - raw.count(b'"', end)) % 2:
        end = raw.rfind(b"\n", 0, end - 1) + 1
    return end
