"""Audit rows that were moved out of the database into signed files, and the chain over both.

A file holds whole blocks of rows, without a gap behind the file before it.  The row of the chain that records it holds
its digest, and the file's last line is signed, so that it verifies in the workspace and by itself.  Rows that are still
needed stay in the database too, and must be the same in both places.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import zlib
from collections.abc import Generator, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from bluegold.core.errors import IntegrityError
from bluegold.registry.tables import audit_table
from bluegold.security.signing import Signer, Verifier
from bluegold.telemetry.chain import canonical

__all__ = ["ARCHIVED", "ArchivedRow", "AuditArchive", "file_digest"]

#: the action of audit rows that record a file: its subject is the file's name, its outcome the file's digest
ARCHIVED = "archive audit"

_FORMAT = "bluegold audit archive 1"


class ArchivedRow(NamedTuple):
    """One row of the audit table as a file keeps it."""

    number: int
    at: int
    who: str
    action: str
    subject: str
    outcome: str
    details: str
    previous: str
    digest: str


class AuditArchive:
    """The files of one registry's audit rows.

    Args:
        folder: where they are; it need not exist.

    Example:
        >>> list(AuditArchive(Path("no such folder")).rows())
        []
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self) -> tuple[Path, ...]:
        """All files, oldest first."""
        return tuple(sorted(self._folder.glob("[0-9]*-[0-9]*.jsonl.gz")))

    def forget(self, known: Iterable[str]) -> None:
        """Remove files that no row of the chain records: they were left by a run that was killed."""
        for path in self.files():
            if path.name not in known:
                path.unlink()

    def write(self, rows: Iterable[Any], first: int, last: int, signer: Signer) -> Path:
        """Write the rows of a stretch to a file of its own; it is there whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{first:012}-{last:012}.jsonl.gz"
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        digest = hashlib.sha256()
        try:
            with gzip.open(scratch, "wb", compresslevel=5) as file:
                for row in rows:
                    line = canonical(list(row)) + b"\n"
                    digest.update(line)
                    file.write(line)
                signature = signer.sign(_message(first, last, digest.hexdigest()))
                file.write(canonical([_FORMAT, first, last, digest.hexdigest(), signature]) + b"\n")
            with scratch.open("rb") as done:
                os.fsync(done.fileno())
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
        return path

    def check(self, path: Path, verifier: Verifier) -> int:
        """Hold a file against its own signature.

        Returns:
            how many rows it holds.

        Raises:
            IntegrityError: it is damaged, or signed by somebody else.
        """
        digest, count, last = hashlib.sha256(), 0, b""
        for line in _lines(path):
            if last:
                digest.update(last)
                count += 1
            last = line
        try:
            said, start, end, found, signature = msgspec.json.decode(last, type=tuple[str, int, int, str, str])
            verifier.verify(_message(start, end, found), signature)
        except (msgspec.MsgspecError, IntegrityError) as error:
            raise _damaged(path, "its last line is not signed by this installation") from error
        if said != _FORMAT or found != digest.hexdigest() or count != end - start + 1:
            raise _damaged(path, "its rows are not those it was signed for")
        return count

    def rows(self, start: int = 1) -> Generator[ArchivedRow, None, None]:
        """The archived rows from one on, oldest first.

        Raises:
            IntegrityError: a file cannot be read to its end; names it and the row.
        """
        for path in self.files():
            if _last(path) < start:
                continue
            at = 0
            for line, following in pairwise(_lines(path)):  # the last line of a file is its signature
                del following
                try:
                    row = ArchivedRow(*msgspec.json.decode(line, type=_ROW))
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    raise _damaged(path, f"after audit row {at} stands what is none") from error
                at = row.number
                if at >= start:
                    start = at + 1
                    yield row

    def with_rest(self, connection: Connection) -> Iterator[Any]:
        """All rows of the chain: from the files, then from the database; rows in both must be the same.

        Raises:
            IntegrityError: they are not, or a file cannot be read; names the row or the file.
        """
        query = select(audit_table).order_by(audit_table.c.number).execution_options(yield_per=1000)
        with connection.execute(query) as result:  # closed early too: a server keeps a cursor open for it
            rest = iter(result)
            stays = next(rest, None)
            with contextlib.closing(self.rows()) as archived:
                for row in archived:
                    if stays is not None and stays.number == row.number:
                        if tuple(stays) != row:
                            raise IntegrityError(
                                f"audit row {row.number} is not the one that was archived",
                                why="it was changed in the database or in the file",
                                subject=f"audit row {row.number}",
                            )
                        stays = next(rest, None)
                    yield row
            if stays is not None:  # otherwise the result is at its end, and must not be asked again
                yield stays
                yield from rest

    def digests(self, start: int, stop: int) -> list[str]:
        """The digests of the archived rows after ``start`` up to ``stop``."""
        found = []
        for row in self.rows(start + 1):
            if row.number > stop:
                break
            found.append(row.digest)
        return found


_ROW = tuple[int, int, str, str, str, str, str, str, str]


def file_digest(path: Path) -> str:
    """The sha256 of a file; empty when it is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path, "rb") as file:
            yield from file
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, f"it cannot be read to its end: {error}") from error


def _last(path: Path) -> int:
    return int(path.name.partition("-")[2].partition(".")[0])


def _message(first: int, last: int, digest: str) -> bytes:
    return canonical(["audit archive", first, last, digest])


def _damaged(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        f"the file '{path.name}' of archived audit rows does not hold",
        why=why,
        way_out="put it back from a backup",
        subject=f"file {path.name}",
    )
