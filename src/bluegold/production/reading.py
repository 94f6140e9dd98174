"""Reading a file in pieces of bounded size, from any earlier place on: Parquet by rows, CSV by the bytes of its text.

A block of CSV ends behind a line, never inside quotes; :mod:`bluegold.production.csv_blocks` makes a frame of it.
Places in a compressed file are those in its text, so that its blocks are those of the same file uncompressed.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from bluegold.core.errors import DataError
from bluegold.features.table_files import KINDS, UNREADABLE, CsvBytes, kind_of, opened
from bluegold.production.csv_blocks import BlockReader

__all__ = ["CHUNK_BYTES", "CHUNK_ROWS", "Piece", "pieces"]

CHUNK_ROWS = 131_072
CHUNK_BYTES = 12 * 1024 * 1024
LONGEST_LINE = 256 * 1024 * 1024
TAIL = 64 * 1024
_MARK = "\ufeff".encode()
_OTHERS = (
    (b"\xff\xfe", "UTF-16", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16", "save it as UTF-8"),
    (b"\x1f\x8b", "gzip", "name it .csv.gz"),
    (b"\x28\xb5\x2f\xfd", "zstd", "decompress it"),
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet", "save it as CSV"),
    (b"PAR1", "Parquet", "name it .parquet"),
)


class Piece(NamedTuple):
    """Some rows, what is wrong with how they were written, and the place behind them (rows or bytes of text).

    ``original`` gives the rows of a mask as they were written, where ``frame`` may not hold them so; ``share`` is how
    much of the file lies behind with this piece (0-1).
    """

    frame: pl.DataFrame
    spoiled: tuple[pl.Series, ...]
    end: int
    original: Callable[[pl.Series], pl.DataFrame] | None = None
    share: float = 0.0


def pieces(source: Path, start: int = 0, numbers: Iterable[str] = ()) -> Iterator[Piece]:
    """The rows of a ``.parquet``, ``.csv`` or ``.csv.gz`` file from a place on that an earlier :class:`Piece` named.

    The same file gives the same pieces whenever and from wherever it is read.

    Args:
        source: the file.
        start: the place.
        numbers: columns of a CSV file that the contract holds for numbers.

    Raises:
        DataError: the file is missing, of another kind, or cannot be read.
    """
    kind = kind_of(source)
    if not kind:
        raise DataError(f"'{source}' is {KINDS}", way_out="convert it to one of these")
    if not source.is_file():
        raise DataError(f"'{source}' does not exist or is no file", way_out="give the path of a Parquet or CSV file")
    try:
        yield from _parquet(source, start) if kind == "parquet" else _csv(source, start, numbers)
    except (*UNREADABLE, csv.Error, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"'{source}' cannot be read", why=" ".join(str(error).split())[:300], way_out="give a readable file"
        ) from error


def _parquet(source: Path, start: int) -> Iterator[Piece]:
    whole = int(pl.scan_parquet(source).select(pl.len()).collect().item())
    for frame in pl.scan_parquet(source).slice(start).collect_batches(chunk_size=CHUNK_ROWS, maintain_order=True):
        start += frame.height
        yield Piece(frame, (), start, share=start / max(whole, 1))


def _csv(source: Path, start: int, numbers: Iterable[str]) -> Iterator[Piece]:
    with opened(source) as text:
        names, begin = _header(text, source)
        reader, at = BlockReader(names, numbers), start or begin
        while raw := _block(text, at):
            block, at = reader.read(raw), at + len(raw)
            yield Piece(block.frame, block.spoiled, at, block.original, text.share(at))


def _header(text: CsvBytes, source: Path) -> tuple[list[str], int]:
    """The names of the columns, and the place behind them."""
    first = _first_line(text)
    line = first.removeprefix(_MARK)
    for beginning, kind, way_out in _OTHERS:
        if line.startswith(beginning):
            raise DataError(f"'{source}' is no UTF-8 text", why=f"it begins as {kind}", way_out=way_out)
    names = next(csv.reader([line.decode("utf-8", "replace")]), [])
    if not names or len(set(names)) != len(names):
        raise DataError(
            f"'{source}' has no header" if not names else f"the header of '{source}' names a column twice",
            way_out="give the columns different names in the first line",
        )
    return names, len(first)


def _first_line(text: CsvBytes) -> bytes:
    size = TAIL
    while True:
        raw = text.read(size, 0)
        end = raw.find(b"\n") + 1
        if end or len(raw) < size or size >= LONGEST_LINE:
            return raw[: end or len(raw)]
        size *= 4


def _block(text: CsvBytes, at: int) -> bytes:
    """Whole lines of about :data:`CHUNK_BYTES`; where a block ends depends on nothing but where it begins.

    Its end is looked for before it is read, so that it is in memory once.
    """
    text.forget(at)
    room = CHUNK_BYTES
    while True:
        looked = min(TAIL, room)
        tail = text.read(looked, at + room - looked)
        if len(tail) < looked:  # the file ends here
            return text.read(room, at)
        raw = text.read(room - looked + (tail.rfind(b"\n") + 1 or looked), at)
        end = _last_end(raw)
        if end:
            return raw if end == len(raw) else raw[:end]
        if room >= LONGEST_LINE:
            raise DataError(f"no line ends within {room >> 20} MB", why="a quote may be open", way_out="close it")
        room *= 4


def _last_end(raw: bytes) -> int:
    """Where the last line ends that no quote is open in; 0 when there is none."""
    end = raw.rfind(b"\n") + 1
    if b'"' not in raw:
        return end
    quotes = raw.count(b'"')
    while end and (quotes - raw.count(b'"', end)) % 2:
        end = raw.rfind(b"\n", 0, end - 1) + 1
    return end
