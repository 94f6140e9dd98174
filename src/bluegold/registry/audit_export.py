"""The audit trail as one file that verifies anywhere: every row, what it was written for, and a signed checkpoint.

A gzip of JSON lines: a heading with the public key and the checkpoint, one line for each row, and a last line that says
how many there were.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from bluegold.core.errors import IntegrityError, WorkspaceError
from bluegold.registry.audit import Audit
from bluegold.registry.checkpoints import Checkpoint, checkpoint_message
from bluegold.registry.head import row_digest
from bluegold.registry.tables import GOVERNED
from bluegold.registry.verification import ChainReport
from bluegold.security.signing import Verifier
from bluegold.telemetry.chain import GENESIS, canonical, link
from bluegold.telemetry.merkle import Frontier, leaf

__all__ = ["ExportReport", "export_audit", "verify_export"]

_FORMAT = "bluegold audit 1"
_ROW = tuple[int, int, str, str, str, str, str, str, str, str]


class _Heading(msgspec.Struct, frozen=True):
    format: str
    key: str
    checkpoint: Checkpoint


class _End(msgspec.Struct, frozen=True):
    rows: int


class ExportReport(ChainReport, frozen=True, kw_only=True):
    """The result of verifying a file; ``key`` is the public key that signed it, to be compared with a known one."""

    key: str = ""
    checkpoint: Checkpoint | None = None


def export_audit(audit: Audit, path: Path, who: str = "") -> Checkpoint:
    """Write the whole chain up to now, with the bodies of governed rows, to a file.

    Args:
        audit: the chain.
        path: the file; it is there whole or not at all.
        who: who asked for it.

    Returns:
        the checkpoint that was signed for it.

    Raises:
        WorkspaceError: the file cannot be written.
    """
    point = audit.checkpoint(who)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with gzip.open(scratch, "wb", compresslevel=5) as file:
            file.write(canonical(_Heading(_FORMAT, audit.signer.verifier.encoded, point)) + b"\n")
            for line in _lines(audit, point.number):
                file.write(line + b"\n")
            file.write(canonical(_End(point.number)) + b"\n")
        with scratch.open("rb") as done:
            os.fsync(done.fileno())
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise WorkspaceError(
            f"'{path}' cannot be written", why=error.strerror or str(error), way_out="choose another file"
        ) from error
    return point


def _lines(audit: Audit, number: int) -> Iterator[bytes]:
    with audit.store.read() as connection:
        bodies: dict[int, str] = {}
        for kind in GOVERNED.values():
            bodies |= {row.audit: row.body for row in connection.execute(select(kind.table.c.audit, kind.table.c.body))}
        for row in takewhile(lambda row: row.number <= number, audit.archive.with_rest(connection)):
            values = [row.number, row.at, row.who, row.action, row.subject, row.outcome, row.details]
            yield canonical([*values, row.previous, row.digest, bodies.get(row.number, "")])


def verify_export(path: Path, trusted: Verifier | None = None) -> ExportReport:
    """Check a file of :func:`export_audit`, without any registry.

    Args:
        path: the file.
        trusted: the installation's public key, when it is known; without it the report's ``key`` is to be compared.

    Returns:
        a report; tampering is a result, not an error.

    Raises:
        WorkspaceError: the file cannot be read.
    """
    try:
        with gzip.open(path, "rb") as file:
            return _verified(iter(file), trusted)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return ExportReport(ok=False, checked=0, first_bad=f"file {path.name}", why=f"it is cut or damaged: {error}")
    except OSError as error:
        raise WorkspaceError(f"'{path}' cannot be read", why=error.strerror or str(error)) from error


def _verified(lines: Iterator[bytes], trusted: Verifier | None) -> ExportReport:
    try:
        heading = msgspec.json.decode(next(lines, b""), type=_Heading)
        verifier = Verifier.decode(heading.key)
        point = heading.checkpoint
        (trusted or verifier).verify(checkpoint_message(point.number, point.at, point.root), point.signature)
    except (msgspec.MsgspecError, IntegrityError) as error:
        return ExportReport(ok=False, checked=0, first_bad="heading", why=str(error))
    frontier, previous, number = Frontier(), GENESIS, 0
    for line in lines:
        end = _end(line)
        if end is not None:
            return _ended(end, number, frontier, heading)
        why = ""
        try:
            row = msgspec.json.decode(line, type=_ROW)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            why = f"it is no row: {error}"
        else:
            why = _fault(row, number + 1, previous)
        if why:
            return ExportReport(ok=False, checked=number, first_bad=f"audit row {number + 1}", why=why, key=heading.key)
        number, previous = row[0], row[8]
        frontier.append(leaf(bytes.fromhex(previous)))
    return ExportReport(
        ok=False, checked=number, first_bad=f"audit row {number + 1}", why="the file ends before it", key=heading.key
    )


def _end(line: bytes) -> int | None:
    try:
        return msgspec.json.decode(line, type=_End).rows
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _ended(rows: int, number: int, frontier: Frontier, heading: _Heading) -> ExportReport:
    point = heading.checkpoint
    if not rows == number == point.number:
        last = f"audit row {number + 1}"
        why = f"the checkpoint stands for {point.number} rows"
        return ExportReport(ok=False, checked=number, first_bad=last, why=why, key=heading.key)
    if frontier.root.hex() != point.root:
        why = "the rows are not those that were signed"
        return ExportReport(ok=False, checked=number, first_bad="checkpoint", why=why, key=heading.key)
    return ExportReport(ok=True, checked=number, key=heading.key, checkpoint=point)


def _fault(row: tuple[Any, ...], expected: int, previous: str) -> str:
    """What is wrong with a row of the file; empty when nothing is."""
    if row[0] != expected:
        return f"row {row[0]} stands in its place"
    if row[7] != previous:
        return "it does not follow the row before it"
    if link(previous, canonical(list(row[:7]))) != row[8]:
        return "its content does not have its digest"
    details = msgspec.json.decode(row[6])
    if "row" in details and details["row"] != row_digest(row[9]):
        return f"its row of '{details.get('table')}' was changed or left out"
    return ""
