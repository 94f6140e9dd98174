"""Files of rows: their kinds, and the bytes of a CSV file at any place, expanded as they are read where it is gzip.

What is expanded is held no longer than it is asked for, and no further than a table goes: a file that grows without
end out of a few bytes is refused while it is read.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from bluegold.core.errors import DataError

__all__ = ["KINDS", "UNREADABLE", "CsvBytes", "csv_head", "csv_whole", "kind_of", "opened"]

KINDS = "neither .parquet nor .csv nor .csv.gz"
#: What reading a damaged file raises, besides what its text does.
UNREADABLE = (OSError, EOFError, zlib.error)
STEP = 1024 * 1024
#: A file may always expand to so many bytes, and beyond to so many times its own.
FREE = 256 * 1024 * 1024
MOST = 250


def kind_of(path: Path) -> str:
    """``parquet``, ``csv``, ``csv.gz``, or nothing where the name's ending says none of them.

    Example:
        >>> kind_of(Path("a.CSV.gz")), kind_of(Path("a.gz"))
        ('csv.gz', '')
    """
    name = path.name.lower()
    return next((kind for kind in ("parquet", "csv", "csv.gz") if name.endswith(f".{kind}")), "")


class CsvBytes(Protocol):
    """The text of a CSV file, read at ascending places."""

    def read(self, size: int, at: int) -> bytes:
        """So many bytes from a place on; fewer only where the file ends."""

    def forget(self, at: int) -> None:
        """Nothing before a place is asked for again."""

    def share(self, at: int) -> float:
        """Which share of the file has been read when everything before a place has."""


class _Plain:
    def __init__(self, file: BinaryIO) -> None:
        self._file, self._size = file.fileno(), os.fstat(file.fileno()).st_size

    def read(self, size: int, at: int) -> bytes:
        raw = os.pread(self._file, size, at)
        while len(raw) < size and (more := os.pread(self._file, size - len(raw), at + len(raw))):
            raw += more
        return raw

    def forget(self, at: int) -> None:
        pass

    def share(self, at: int) -> float:
        return at / max(self._size, 1)


class _Expanded:
    """A window over what is expanded: from the last forgotten place to the furthest one asked for."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._name, self._packed, self._size = name, file, os.fstat(file.fileno()).st_size
        self._file = gzip.GzipFile(fileobj=file)
        self._window, self._first = bytearray(), 0

    def read(self, size: int, at: int) -> bytes:
        while self._first + len(self._window) < at + size and self._more():
            pass
        return bytes(memoryview(self._window)[at - self._first : at - self._first + size])

    def forget(self, at: int) -> None:
        while True:
            behind = min(at - self._first, len(self._window))
            del self._window[:behind]
            self._first += behind
            if self._first == at or not self._more():
                return

    def share(self, at: int) -> float:
        whole = self._first + len(self._window)
        return self._packed.tell() / max(self._size, 1) * (at / whole if whole else 0.0)

    def _more(self) -> bool:
        found = self._file.read(STEP)
        self._window += found
        whole = self._first + len(self._window)
        if whole > max(FREE, MOST * self._packed.tell()):
            raise DataError(
                f"'{self._name}' is not read further",
                why=f"it expands to more than {MOST} times its size",
                way_out="decompress it first, where that is meant",
            )
        return bool(found)


@contextlib.contextmanager
def opened(source: Path) -> Iterator[CsvBytes]:
    """The bytes of a ``.csv`` or ``.csv.gz`` file; reading them raises :data:`UNREADABLE` where it is damaged.

    Args:
        source: the file.

    Raises:
        OSError: it cannot be opened.
        DataError: while it is read: it expands beyond what a table does.
    """
    with source.open("rb") as file:
        yield _Expanded(file, str(source)) if kind_of(source) == "csv.gz" else _Plain(file)


def csv_head(source: Path, lines: int, most: int = FREE) -> bytes:
    """The first lines of a file, whole and a few more or less than asked for: as many as are in its first steps.

    Args:
        source: a ``.csv`` or ``.csv.gz`` file.
        lines: how many are enough.
        most: so many bytes are not exceeded.

    Raises:
        DataError: it is damaged, or expands beyond what a table does.
    """
    raw = bytearray()
    with _told(source), opened(source) as text:
        while len(raw) < most and raw.count(b"\n") <= lines and (more := text.read(STEP, len(raw))):
            raw += more
            text.forget(len(raw))
        ended = not text.read(1, len(raw))
    end = len(raw) if ended else raw.rfind(b"\n") + 1
    while not ended and end and raw.count(b'"', 0, end) % 2:  # a line ends there, and no row
        end = raw.rfind(b"\n", 0, end - 1) + 1
    return bytes(raw[:end])


def csv_whole(source: Path) -> bytes | Path:
    """What a reader of a whole CSV file is given: the file, or its text where that had to be expanded.

    Raises:
        DataError: it is damaged, or expands beyond what a table does.
    """
    if kind_of(source) != "csv.gz":
        return source
    with _told(source), opened(source) as text:
        parts, at = [], 0
        while part := text.read(STEP, at):
            at += len(part)
            parts.append(part)
            text.forget(at)
    return b"".join(parts)


@contextlib.contextmanager
def _told(source: Path) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise DataError(
            f"'{source}' cannot be read", why=" ".join(str(error).split())[:300], way_out="give a readable file"
        ) from error
