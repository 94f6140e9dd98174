"""Which audit rows may leave the database, and how they leave it: proven elsewhere first, in one transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
from sqlalchemy import Connection, delete, func, select

from bluegold.core.errors import IntegrityError, UsageError, WorkspaceError
from bluegold.core.plan import Hold
from bluegold.registry.audit import Audit
from bluegold.registry.audit_archive import ARCHIVED, file_digest
from bluegold.registry.checkpoints import BLOCK
from bluegold.registry.lifecycle import Lifecycle
from bluegold.registry.tables import TRAFFIC, VERSIONS, audit_table, from_micros, micros

__all__ = ["Moved", "archive_audit"]

_LIVE = ("Registered", "Staging", "Canary", "Production")
_rows = audit_table.c


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What one run archived: the rows ``first`` to ``last`` are in ``file``, ``kept`` of them stay here too."""

    file: str
    first: int
    last: int
    moved: int
    kept: int


def archive_audit(
    audit: Audit, before: dt.datetime, holds: Sequence[Hold] = (), lasting: Collection[str] = (), who: str = ""
) -> Moved:
    """Move whole blocks of old audit rows into a signed file.

    Rows stay in the database, besides being in the file, when they are about a version that is live or that a rollback
    would go back to, about the traffic of now, under a hold, or the last word of a lasting action on its subject.

    Args:
        audit: the chain.
        before: only rows that are older than this moment leave.
        holds: legal holds: rows of their days (of their model, or of all) stay.
        lasting: actions whose newest row about each subject is still asked for.
        who: who asked for it.

    Raises:
        UsageError: no whole block of rows is that old.
        IntegrityError: the registry does not verify; nothing is archived then.
        WorkspaceError: the file cannot be written.
    """
    report = audit.verify()
    if not report.ok:
        raise IntegrityError(
            "nothing is archived from a registry that does not verify",
            why=f"{report.first_bad}: {report.why}",
            way_out="run 'bluegold audit verify', then restore from a backup",
            subject=report.first_bad,
        )
    known = audit.latest(ARCHIVED).values()
    audit.archive.forget({event.subject for event in known})
    first = 1 + max((int(event.details["last"]) for event in known), default=0)
    path, last = _written(audit, before, first)
    with audit.change(who) as change:
        stay = sorted(_needed(change.connection, first, last, holds, lasting))
        for start, stop in pairwise((first - 1, *stay, last + 1)):
            change.connection.execute(delete(audit_table).where(_rows.number > start, _rows.number < stop))
        moved = Moved(file=path.name, first=first, last=last, moved=last - first + 1 - len(stay), kept=len(stay))
        details = {"first": first, "last": last, "kept": len(stay), "holds": [hold.reason for hold in holds]}
        change.append(change.actor, ARCHIVED, path.name, file_digest(path), details)
    return moved


def _written(audit: Audit, before: dt.datetime, first: int) -> tuple[Path, int]:
    """The file of the whole blocks of rows from ``first`` on that are old enough, read again; and its last number."""
    with audit.store.read() as connection:
        newest = connection.execute(select(func.max(_rows.number)).where(_rows.at < micros(before))).scalar() or 0
        last = newest // BLOCK * BLOCK
        if last < first:
            raise UsageError(
                f"no whole block of {BLOCK} audit rows is older than {before:%Y-%m-%d}",
                way_out="give a later moment, or wait",
            )
        old = (_rows.number >= first) & (_rows.number <= last)
        query = select(audit_table).where(old).order_by(_rows.number).execution_options(yield_per=1000)
        try:
            path = audit.archive.write(connection.execute(query), first, last, audit.signer)
        except OSError as error:
            raise WorkspaceError("the audit rows cannot be archived", why=error.strerror or str(error)) from error
    audit.archive.check(path, audit.signer.verifier)
    return path, last


def _needed(
    connection: Connection, first: int, last: int, holds: Sequence[Hold], lasting: Collection[str]
) -> Iterator[int]:
    """The numbers of the rows that stay."""
    subjects = _subjects(connection)
    newest = (
        select(func.max(_rows.number)).where(_rows.action.in_(sorted(lasting))).group_by(_rows.subject, _rows.action)
    )
    words = set(connection.execute(newest).scalars())
    query = select(_rows.number, _rows.at, _rows.subject, _rows.action)
    within = query.where(_rows.number >= first, _rows.number <= last).execution_options(yield_per=1000)
    for number, at, subject, action in connection.execute(within):
        if subject in subjects or number in words or action == ARCHIVED or _held(at, subject, holds):
            yield number


def _subjects(connection: Connection) -> set[str]:
    """The subjects of rows about what is live: versions, the ones behind them, and the newest traffic of each model."""
    versions, traffic = VERSIONS.table.c, TRAFFIC.table.c
    query = select(versions.model, versions.version, versions.stage)
    found, models = set(), set()
    for model, version, stage in connection.execute(query):
        models.add(model)
        if stage in _LIVE:
            found.add(f"{model}:{version}")
    for model in models:
        previous = Lifecycle.previous_in(connection, model)
        if previous is not None:
            found.add(previous.ref)
    revisions = select(traffic.model, func.max(traffic.revision)).group_by(traffic.model)
    return found | {f"{model}#{revision}" for model, revision in connection.execute(revisions)}


def _held(at: int, subject: str, holds: Sequence[Hold]) -> bool:
    day = from_micros(at).date()
    return any(
        hold.since <= day
        and (hold.until is None or day <= hold.until)
        and (not hold.model or subject == hold.model or subject.startswith((f"{hold.model}:", f"{hold.model}#")))
        for hold in holds
    )
