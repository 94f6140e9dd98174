"""The audit chain: every change of the registry is one transaction with its own hash-chained rows.

The newest row's digest is signed twice: in the database (so that a cut tail shows) and in a file beside the signing
key (so that a whole database put back from an older copy shows).
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import BindParameter, Connection, Insert, Row, Table, bindparam, func, insert, select, update

from bluegold.core.errors import IntegrityError, RegistryError, UsageError
from bluegold.core.nouns import AuditEvent, Noun, now
from bluegold.registry.audit_archive import AuditArchive
from bluegold.registry.checkpoints import (
    Checkpoint,
    Proof,
    checkpoint_in,
    checkpoints_between,
    continues_in,
    prove_in,
)
from bluegold.registry.head import Head, head_message, read_head, row_digest, write_head
from bluegold.registry.migrations.steps import LAYOUT, layout_in, migrate_in, note_layout
from bluegold.registry.tables import Governed, audit_head_table, audit_table, from_micros, metadata, micros
from bluegold.registry.verification import ChainReport, verify_registry
from bluegold.security.signing import Signer
from bluegold.stores.protocols import RelationalStore
from bluegold.telemetry.chain import GENESIS, canonical, link

__all__ = ["Audit", "Change"]

_MIGRATION = "automatic:migration"
#: Whoever checks the chain needs no key: the checkpoint that a check is made under is nobody's act.
_CHECKING = "automatic:audit"

#: Statements of every change, built once: to build one again costs more than to run it.
_HEAD = select(audit_head_table)
_NEW_HEAD = update(audit_head_table).where(audit_head_table.c.id == 1).execution_options(unread=True)


@functools.cache
def _into(table: Table) -> Insert:
    """What inserts rows into a table; nobody asks which number they got, so that no answer is waited for."""
    return insert(table).inline().execution_options(unread=True)


class Change:
    """One write transaction of the registry; what is appended or kept in it happens whole or not at all.

    Attributes:
        connection: the open transaction.
        at: the moment of the change; it never runs backwards along the chain, even if the clock does.
        actor: who does it, where a call does not say otherwise.
    """

    def __init__(self, connection: Connection, head: Head, actor: str) -> None:
        self.connection = connection
        self.at: dt.datetime = from_micros(max(micros(now()), head.at))
        self.actor = actor
        self.number = head.number
        self.digest = head.digest

    def append(self, who: str, action: str, subject: str, outcome: str, details: dict[str, Any]) -> AuditEvent:
        """Write the next row of the chain.

        Raises:
            RegistryError: ``details`` hold something that JSON has no word for.
        """
        try:
            text = canonical(details).decode()
        except (TypeError, ValueError) as error:
            raise RegistryError(
                f"the details of '{action}' on '{subject}' cannot be kept",
                why=str(error),
                way_out="use text, numbers, lists and maps only",
            ) from error
        values = {
            "number": self.number + 1,
            "at": micros(self.at),
            "who": who or self.actor,
            "action": action,
            "subject": subject,
            "outcome": outcome,
            "details": text,
        }
        digest = link(self.digest, canonical(list(values.values())))
        self.connection.execute(_into(audit_table), {**values, "previous": self.digest, "digest": digest})
        event = AuditEvent(
            number=self.number + 1,
            who=who or self.actor,
            action=action,
            subject=subject,
            outcome=outcome,
            details=msgspec.json.decode(text, type=dict[str, Any]),
            at=self.at,
            previous=self.digest,
            digest=digest,
        )
        self.number, self.digest = event.number, digest
        return event

    def keep(self, kind: Governed, noun: Noun, event: tuple[str, str, str, str], **extra: Any) -> None:
        """Insert ``noun`` as a governed row together with its audit row.

        Args:
            kind: the kind of row.
            noun: what is kept.
            event: who, action, subject, outcome.
            extra: columns that do not follow from the noun.

        Raises:
            RegistryError: the noun holds something that JSON has no word for.
        """
        try:
            body = canonical(noun).decode()
        except (TypeError, ValueError) as error:
            raise RegistryError(f"'{event[2]}' cannot be kept", why=str(error)) from error
        who, action, subject, outcome = event
        row = self.append(who, action, subject, outcome, {"table": str(kind.table.name), "row": row_digest(body)})
        values = {**kind.columns(noun), **extra, "body": body, "audit": row.number}
        self.connection.execute(_into(kind.table), values)


class Audit:
    """The chain of one registry.

    Args:
        store: the registry's relational store.
        signer: signs the head.
        head_file: the second copy of the head, beside the key.
        actor: who acts where a call does not say otherwise.
        archive: where archived rows are; by default no row was archived.

    Attributes:
        fence: asked first in every write transaction; raises when this process may not write any more.
        vouch: asked before every change whether whoever is named has proved to be that; raises otherwise.
    """

    def __init__(
        self, store: RelationalStore, signer: Signer, head_file: Path, actor: str, archive: Path | None = None
    ) -> None:
        self.archive = AuditArchive(archive or head_file.with_name("archived"))
        self.store = store
        self.signer = signer
        self.head_file = head_file
        self.actor = actor
        self.fence: Callable[[Connection], None] | None = None
        self.vouch: Callable[[str], None] | None = None
        self._sound: Head | None = None

    def found(self) -> None:
        """Make the tables and the empty chain the first time; afterwards check that this key signed the chain.

        A registry of an older release is brought to this one's layout first, whole or not at all.

        Raises:
            RegistryError: a newer release wrote this registry.
            IntegrityError: the chain was signed with a key that is not in the keys folder.
        """
        with self.store.read() as connection:
            layout = layout_in(connection)
        if layout is not None and layout < LAYOUT:
            with self.change(_MIGRATION) as change:
                before, after = migrate_in(change.connection, self.signer)
                if before < after:
                    change.append(_MIGRATION, "migrate", "registry", f"layout {before} to {after}", {})
        self.store.create(metadata)
        with self.store.read() as connection:
            row = connection.execute(select(audit_head_table)).first()
        if row is None:
            row = self._first_head()
        try:
            self.signer.verifier.verify(head_message(row.number, row.digest), row.signature)
        except IntegrityError as error:
            raise IntegrityError(
                "the registry was not signed with the key of this workspace",
                why="the keys folder was lost or replaced, or the table audit_head was changed",
                way_out="restore the keys folder and the registry from one backup",
                subject="audit_head",
            ) from error

    def _first_head(self) -> Row[Any]:
        with self.store.write() as connection:
            row = connection.execute(select(audit_head_table)).first()
            if row is None:
                head = Head(0, 0, GENESIS, self.signer.sign(head_message(0, GENESIS)))
                connection.execute(insert(audit_head_table), {"id": 1, **msgspec.structs.asdict(head)})
                write_head(self.head_file, head)
                note_layout(connection)
                row = connection.execute(select(audit_head_table)).one()
            return row

    @contextmanager
    def change(self, actor: str = "") -> Iterator[Change]:
        """One transaction: read the head under the write lock, let the caller write, sign the new head, commit."""
        if self.vouch is not None:
            self.vouch(actor or self.actor)
        with self.store.write() as connection:
            if self.fence is not None:
                self.fence(connection)
            row = self._sound_head(connection)
            change = Change(connection, row, actor or self.actor)
            yield change
            if change.number == row.number:
                return
            checkpoints_between(connection, row.number, change.number, micros(change.at), self.signer)
            signature = self.signer.sign(head_message(change.number, change.digest))
            head = Head(change.number, micros(change.at), change.digest, signature)
            connection.execute(_NEW_HEAD, msgspec.structs.asdict(head))
        write_head(self.head_file, head)
        self._sound = head

    def append(
        self, who: str, action: str, subject: str, outcome: str = "done", details: dict[str, Any] | None = None
    ) -> AuditEvent:
        """Write one event that is not a change of the registry itself (a run, a probe, a command).

        Args:
            who: identity of the person or process; empty means the registry's actor.
            action: what was done, one word or two.
            subject: what it was done to.
            outcome: how it ended.
            details: JSON values only.
        """
        with self.change(who) as change:
            return change.append(who, action, subject, outcome, details or {})

    def events(self, since: int = 0, limit: int = 100, *, subject: str = "") -> tuple[AuditEvent, ...]:
        """Events with a number above ``since``, oldest first, at most ``limit``; of one subject when given."""
        query = select(audit_table).where(audit_table.c.number > since)
        if subject:
            query = query.where(audit_table.c.subject == subject)
        rows = self.store.rows(query.order_by(audit_table.c.number).limit(limit))
        return tuple(_event(row) for row in rows)

    def latest(self, action: str) -> dict[str, AuditEvent]:
        """The newest event of an action about each subject."""
        # a plain parameter would hide the index, which knows some actions only
        wanted: BindParameter[str] = bindparam("action", action, literal_execute=True)
        newest = select(func.max(audit_table.c.number)).where(audit_table.c.action == wanted)
        numbers = newest.group_by(audit_table.c.subject)
        rows = self.store.rows(select(audit_table).where(audit_table.c.number.in_(numbers)))
        return {row.subject: _event(row) for row in rows}

    def verify(self) -> ChainReport:
        """Check the whole chain and every governed row against it; tampering is a result, not an error.

        Raises:
            StoreError: the store cannot be read.
        """
        return verify_registry(self.store, self.signer.verifier, self.head_file, self.archive)

    def newest(self, subject: str, action: str, limit: int = 10) -> tuple[AuditEvent, ...]:
        """The newest events of one action on one subject, newest first."""
        query = select(audit_table).where(audit_table.c.subject == subject, audit_table.c.action == action)
        with self.store.read() as connection:
            rows = connection.execute(query.order_by(audit_table.c.number.desc()).limit(limit)).all()
        return tuple(_event(row) for row in rows)

    def checkpoint(self, who: str = "") -> Checkpoint:
        """Sign a Merkle root over everything up to now, and record that it was asked for."""
        with self.change(who) as change:
            row = change.append(change.actor, "checkpoint", "audit", "signed", {})
            return checkpoint_in(change.connection, row.number, micros(change.at), self.signer)

    def prove(self, number: int) -> Proof:
        """The proof that one row is in the chain, under a checkpoint made now.

        Raises:
            UsageError: there is no such row.
        """
        found = self.events(number - 1, 1)
        if not found or found[0].number != number:
            found = tuple(_event(row) for row in islice(self.archive.rows(number), 1))
        if not found or found[0].number != number:
            raise UsageError(f"there is no audit row {number}", way_out="'bluegold audit log' lists them")
        checkpoint = self.checkpoint(_CHECKING)
        with self.store.read() as connection:
            return prove_in(connection, found[0], checkpoint, self.archive.digests)

    def continues(self, older: Checkpoint) -> Checkpoint:
        """A checkpoint made now, after it was shown to begin with exactly the rows of an older one.

        Raises:
            IntegrityError: the chain was cut or rewritten since, or the older checkpoint is not of this installation.
        """
        newer = self.checkpoint(_CHECKING)
        with self.store.read() as connection:
            continues_in(connection, older, newer, self.signer.verifier, self.archive.digests)
        return newer

    def at_least(self) -> dt.datetime:
        """Now, but never before the newest row: a clock that was put back does not take the chain back with it."""
        with self.store.read() as connection:
            newest = connection.execute(select(audit_head_table.c.at)).scalar() or 0
        return from_micros(max(micros(now()), newest))

    def _sound_head(self, connection: Connection) -> Head:
        """The head, after it was held against its signature and the copy beside the key.

        A chain that was cut or put back is never continued, since that would hide it.
        """
        row = connection.execute(_HEAD).one()
        head = Head(row.number, row.at, row.digest, row.signature)
        try:
            if head != self._sound:  # to the byte what was verified before needs no second look
                self.signer.verifier.verify(head_message(head.number, head.digest), head.signature)
            copy = read_head(self.head_file, self.signer.verifier, head)
            ahead = copy.number > head.number or (copy.number == head.number and copy.digest != head.digest)
            why = f"the key has signed row {copy.number}, the database ends at row {head.number}" if ahead else ""
        except IntegrityError as error:
            why = str(error)
        if why:
            raise IntegrityError(
                "the end of the audit chain does not hold, so nothing is added to it",
                why=why,
                way_out="run 'bluegold audit verify', then restore the registry and the keys from one backup",
                subject="audit_head",
            )
        self._sound = head
        return head


def _event(row: Any) -> AuditEvent:
    return AuditEvent(
        number=row.number,
        who=row.who,
        action=row.action,
        subject=row.subject,
        outcome=row.outcome,
        details=msgspec.json.decode(row.details, type=dict[str, Any]),
        at=from_micros(row.at),
        previous=row.previous,
        digest=row.digest,
    )
