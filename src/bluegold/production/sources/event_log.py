"""The embedded durable log: producers append, consumers read behind an offset, nothing but files.

A record is its length, its checksum and its bytes, in numbered segments; an offset is the place behind a record,
counted over all segments.  A record that was appended is on the disk when ``append`` returns; half a record at the end
(a producer was killed) is cut off by the next producer and not seen by consumers.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from bluegold.core.errors import DataError, IntegrityError
from bluegold.production.sources.protocol import Event

__all__ = ["EventLog"]

HEAD = struct.Struct("<II")
SEGMENT_BYTES = 64 * 1024 * 1024
READ_BYTES = 1024 * 1024


class EventLog:
    """One named log below a folder; it is a source of events, too.

    Args:
        root: the folder of all logs.
        name: letters, digits and hyphens.
        follow: whether a consumer waits at the end for more.
        segment_bytes: a segment of this size is followed by a new one.

    Raises:
        DataError: the name cannot be a log's.

    Example:
        >>> import asyncio, pathlib, tempfile
        >>> log = EventLog(pathlib.Path(tempfile.mkdtemp()), "orders")
        >>> log.append([b"one", b"two"])
        22
        >>> [event.body for event in asyncio.run(log.fetch(0, 10))]
        [b'one', b'two']
    """

    def __init__(self, root: Path, name: str, *, follow: bool = False, segment_bytes: int = SEGMENT_BYTES) -> None:
        if not name.replace("-", "").isalnum() or not name.isascii():
            raise DataError(f"'{name}' cannot be a log's name", way_out="use letters, digits and hyphens")
        self.name = f"log-{name}"
        self._folder, self._follow, self._limit = root / name, follow, segment_bytes

    def append(self, bodies: Sequence[bytes]) -> int:
        """Add records and wait for the disk; the offset behind them.

        Raises:
            OSError: they could not be written; a later call begins behind the last whole record.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            segments = self._segments()
            start = segments[-1] if segments else 0
            path = self._folder / f"{start:020d}.log"
            end = start + _whole(path)
            if end - start >= self._limit:
                start, path = end, self._folder / f"{end:020d}.log"
            raw = b"".join(HEAD.pack(len(body), zlib.crc32(body)) + body for body in bodies)
            with path.open("ab") as file:
                file.truncate(end - start)
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            return end + len(raw)

    async def fetch(self, after: int, most: int) -> list[Event] | None:
        """The next records behind an offset.

        Raises:
            IntegrityError: a record in the middle of the log was changed.
            DataError: there is no such log, or the offset is none of it.
        """
        segments = self._segments()
        if not segments and not self._follow:
            raise DataError(f"there is no log '{self._folder.name}'", way_out="append to it first")
        start = max((one for one in segments if one <= after), default=0)
        found: list[Event] = []
        for segment in [one for one in segments if one >= start]:
            found += self._read(segment, max(after, segment), most - len(found))
            if len(found) >= most:
                break
        return found if found or self._follow else None

    async def commit(self, offset: int) -> None:
        """Nothing: the consumer keeps the offset."""

    async def close(self) -> None:
        """Nothing is held."""

    def _segments(self) -> list[int]:
        return sorted(int(path.stem) for path in self._folder.glob("*.log"))

    def _read(self, segment: int, at: int, most: int) -> list[Event]:
        found: list[Event] = []
        with (self._folder / f"{segment:020d}.log").open("rb") as file:
            file.seek(at - segment)
            while len(found) < most:
                head = file.read(HEAD.size)
                if len(head) < HEAD.size:
                    break
                size, check = HEAD.unpack(head)
                body = file.read(size)
                if len(body) < size:
                    break  # not whole yet
                if zlib.crc32(body) != check:
                    raise IntegrityError(
                        f"the log '{self._folder.name}' was changed at {at}", way_out="restore it from a copy"
                    )
                at += HEAD.size + size
                found.append(Event(at, body))
        return found


def _whole(path: Path) -> int:
    """How many bytes of a segment are whole records."""
    if not path.is_file():
        return 0
    at, end = 0, path.stat().st_size
    with path.open("rb") as file:
        while at + HEAD.size <= end:
            file.seek(at)
            size, check = HEAD.unpack(file.read(HEAD.size))
            if at + HEAD.size + size > end or zlib.crc32(file.read(size)) != check:
                break
            at += HEAD.size + size
    return at
