"""Lines of a file or a pipe as events; an offset is the byte behind the line."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from bluegold.core.errors import DataError
from bluegold.production.sources.protocol import Event

__all__ = ["LONGEST_LINE", "LineSource"]

LONGEST_LINE = 1024 * 1024


class LineSource:
    """JSON lines; a regular file is continued behind an offset, a pipe is read as it comes, line by line.

    Args:
        file: opened for reading bytes.
        path: of the file, from which its identity is made; None for a pipe.
    """

    def __init__(self, file: BinaryIO, path: Path | None = None) -> None:
        self._file = file
        self._seekable = path is not None and file.seekable()
        self._at = 0
        self.name = f"file-{sha256(str(path.resolve()).encode()).hexdigest()[:16]}" if path else "pipe"

    async def fetch(self, after: int, most: int) -> list[Event] | None:
        """The next lines that are not blank; one at a time from a pipe.

        Raises:
            DataError: the file is shorter than the offset: it is not the file that was read before.
        """
        if self._seekable and after != self._at:
            self._seek(after)
        found: list[Event] = []
        while len(found) < (most if self._seekable else 1):
            line = self._line()
            if not line:
                return found or None
            if line.strip():
                found.append(Event(self._at, line))
        return found

    async def commit(self, offset: int) -> None:
        """Nothing: the consumer keeps the offset."""

    async def close(self) -> None:
        """Nothing: whoever opened the file closes it."""

    def _seek(self, after: int) -> None:
        end = self._file.seek(0, os.SEEK_END)
        if after > end:
            raise DataError(
                f"{after} bytes were read before, the input has {end}",
                why="it is not the file that was read before",
                way_out="remove its offset below the workspace's run/offsets to begin anew",
            )
        self._at = self._file.seek(after)

    def _line(self) -> bytes:
        """One line; of a line too long for a row, its beginning."""
        line = self._file.readline(LONGEST_LINE + 1)
        self._at += len(line)
        rest = line
        while rest and not rest.endswith(b"\n") and len(line) > LONGEST_LINE:
            rest = self._file.readline(LONGEST_LINE)
            self._at += len(rest)
        return line
