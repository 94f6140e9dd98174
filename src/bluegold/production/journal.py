"""The journal of a batch run: what is finished, so that a run killed at any moment goes on exactly there.

Beside the output stands a hidden folder with a file for every finished piece and one journal line each.  A line is
written when the piece's files are on the disk; what stands behind the last line is done again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bluegold.core.errors import WorkspaceError
from bluegold.core.workspace import write_atomic

__all__ = ["Journal", "Progress", "durable"]


class Progress(msgspec.Struct, kw_only=True):
    """How far a run is: pieces and rows finished, the place behind them, and what was counted so far."""

    piece: int = 0
    end: int = 0
    rows: int = 0
    scored: int = 0
    positive: int = 0
    reasons: dict[str, int] = {}
    flags: dict[str, int] = {}
    begin: int | None = None
    latest: int | None = None
    last: int | None = None


class Journal:
    """The folder of one run; use it through :meth:`opened`.

    Attributes:
        progress: what earlier runs finished.
        folder: where pieces lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "journal.jsonl"
        self.progress = Progress()

    @classmethod
    @contextlib.contextmanager
    def opened(cls, output: Path, identity: dict[str, str]) -> Iterator[Journal]:
        """The journal of the run that writes ``output``; an earlier one of another identity is thrown away.

        Args:
            output: the file that the run will write.
            identity: everything that the result depends on.

        Raises:
            WorkspaceError: another process writes the same output.
        """
        journal = cls(output.parent / f".{output.name}.scoring")
        output.parent.mkdir(parents=True, exist_ok=True)
        lock = output.parent / f".{output.name}.lock"
        with lock.open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise WorkspaceError(f"another process writes '{output}'", way_out="wait until it is done") from error
            try:
                journal._begin(identity)
                yield journal
            finally:
                lock.unlink(missing_ok=True)

    def path(self, name: str, piece: int, ending: str) -> Path:
        """Where a piece's file lies."""
        return self.folder / f"{name}-{piece:06d}.{ending}"

    def files(self, name: str) -> list[Path]:
        """The finished pieces of one name, in order."""
        return sorted(self.folder.glob(f"{name}-*"))

    def commit(self, progress: Progress) -> None:
        """Write down that everything up to here is finished and on the disk."""
        self.progress = progress
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(progress) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def discard(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _begin(self, identity: dict[str, str]) -> None:
        wanted, known = msgspec.json.encode(identity, order="sorted"), self.folder / "identity.json"
        if not known.is_file() or known.read_bytes() != wanted:
            self.discard()
            self.folder.mkdir()
            write_atomic(known, wanted)
        self.progress = self._read()
        for path in self.folder.glob("*-[0-9]*"):
            if int(path.stem.rpartition("-")[2]) >= self.progress.piece:
                path.unlink()

    def _read(self) -> Progress:
        """The last whole line; half a line behind it is cut off."""
        if not self._path.is_file():
            return Progress()
        raw = self._path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if len(whole) != len(raw):
            os.truncate(self._path, len(whole))
        lines = whole.splitlines()
        return msgspec.json.decode(lines[-1], type=Progress) if lines else Progress()


def durable(path: Path) -> Path:
    """Wait until a file is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return path
