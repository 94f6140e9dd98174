"""The ledger: every measurement ever taken, one JSON line each, only ever appended."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from bluegold.core.errors import WorkspaceError
from bluegold.core.nouns import Evidence, Noun

__all__ = ["LEDGER", "Entry", "Ledger"]

#: What the audit chain calls it.
LEDGER = "evidence.jsonl"


class Entry(Noun, frozen=True, kw_only=True):
    """One line of the ledger: its line number (from 1) and what was measured."""

    line: int
    evidence: Evidence


class Ledger:
    """The evidence file of one workspace.

    Args:
        path: the file; it comes into being with the first record.

    Example:
        >>> import datetime as dt, tempfile
        >>> ledger = Ledger(Path(tempfile.mkdtemp()) / "evidence.jsonl")
        >>> ledger.record(Evidence(requirement="AP-7", value=0.95, verdict="objective", unit="", samples=10,
        ...     machine="m", version="a:v1", artefact="", method="", at=dt.datetime.now(dt.timezone.utc))).line
        1
        >>> ledger.latest()["AP-7"].evidence.value
        0.95
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def record(self, evidence: Evidence) -> Entry:
        """Append one measurement, on disk when this returns.

        Raises:
            WorkspaceError: the file cannot be written.
        """
        line = msgspec.json.encode(evidence) + b"\n"
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                size = os.fstat(handle).st_size
                if size and os.pread(handle, 1, size - 1) != b"\n":
                    line = b"\n" + line  # an earlier writer was killed inside its line: close that line first
                os.write(handle, line)
                end = os.lseek(handle, 0, os.SEEK_CUR)
                os.fsync(handle)
                number = os.pread(handle, end, 0).count(b"\n")
            finally:
                os.close(handle)
        except OSError as error:
            raise WorkspaceError(
                f"evidence for {evidence.requirement} cannot be written to '{self.path}'",
                why=error.strerror or str(error),
                way_out="free space or fix the rights of the workspace, then run 'bluegold prove' again",
                subject=evidence.requirement,
            ) from error
        return Entry(line=number, evidence=evidence)

    def entries(self) -> tuple[Entry, ...]:
        """Every whole record, oldest first; a torn line is passed over, its number stays taken."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise WorkspaceError(
                f"'{self.path}' cannot be read", why=error.strerror or str(error), way_out="fix its rights"
            ) from error
        found = []
        for number, line in enumerate(lines, start=1):
            try:
                found.append(Entry(line=number, evidence=msgspec.json.decode(line, type=Evidence)))
            except (msgspec.DecodeError, msgspec.ValidationError):
                continue
        return tuple(found)

    def digest(self, size: int | None = None) -> tuple[int, str]:
        """How many bytes of the file there are, at most ``size``, and their SHA-256: what the audit chain can keep."""
        try:
            data = self.path.read_bytes()[:size]
        except FileNotFoundError:
            data = b""
        return len(data), hashlib.sha256(data).hexdigest()

    def latest(self) -> dict[str, Entry]:
        """The newest record of each requirement, by id."""
        return {entry.evidence.requirement: entry for entry in self.entries()}
