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
_MARK = "\ufeff".encode()


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
        if start:
            file.seek(start)
        reader, start = BlockReader(names, numbers), file.tell()
        for raw in _blocks(file):
            block, start = reader.read(raw), start + len(raw)
            yield Piece(block.frame, block.spoiled, start, block.original)


def _header(file: BinaryIO, source: Path) -> list[str]:
    line = file.readline(LONGEST_LINE).removeprefix(_MARK)
    names = next(csv.reader([line.decode("utf-8", "replace")]), [])
    if not names or len(set(names)) != len(names):
        raise DataError(
            f"'{source}' has no header" if not names else f"the header of '{source}' names a column twice",
            way_out="give the columns different names in the first line",
        )
    return names


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Whole lines of about :data:`CHUNK_BYTES`, through one buffer: what is left of a block begins the next."""
    room = bytearray(CHUNK_BYTES)
    held = 0
    while True:
        with memoryview(room) as view:
            read = _filled(file, view[held:])
        held += read
        whole = held < len(room)  # the file ends here
        end = held if whole else _last_end(room)
        if end:
            with memoryview(room) as view:
                yield bytes(view[:end])
        elif not whole:
            if len(room) >= LONGEST_LINE:
                raise DataError(
                    f"no line ends within {len(room) >> 20} MB", why="a quote may be open", way_out="close it"
                )
            room += bytes(3 * len(room))
            continue
        if whole:
            return
        left = room[end:]
        if len(room) > CHUNK_BYTES:  # the next block must not depend on this one's length
            file.seek(-len(left), os.SEEK_CUR)
            room, left = bytearray(CHUNK_BYTES), bytearray()
        room[: len(left)], held = left, len(left)


def _filled(file: BinaryIO, view: memoryview) -> int:
    """Fill the buffer from the file; how many bytes there were."""
    read = 0
    while read < len(view):
        got = file.readinto(view[read:])  # type: ignore[attr-defined] # files that were opened buffered have it
        if not got:
            break
        read += got
    return read


def _last_end(raw: bytearray) -> int:
    """Where the last line ends that no quote is open in; 0 when there is none."""
    end = raw.rfind(b"\n") + 1
    if b'"' not in raw:
        return end
    quotes = raw.count(b'"')
    while end and (quotes - raw.count(b'"', end)) % 2:
        end = raw.rfind(b"\n", 0, end - 1) + 1
    return end
