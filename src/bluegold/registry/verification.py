"""Verification: any changed, removed, inserted or cut row of the registry is found and named.

Eight things are held against each other: the signature of the head in the database, the numbers and hashes of the
chain, the signed checkpoints along it, the second head beside the key, every governed row against its audit row, the
stage of every version against its last change, the searchable metrics against the versions, the layout's number.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from bluegold.core.errors import IntegrityError
from bluegold.core.nouns import ModelVersion, StageChange
from bluegold.registry.audit_archive import ARCHIVED, AuditArchive, file_digest
from bluegold.registry.checkpoints import BLOCK, checkpoint_message
from bluegold.registry.head import Head, chain_body, head_message, read_head, row_digest
from bluegold.registry.migrations.steps import LAYOUT
from bluegold.registry.schema import metric_rows
from bluegold.registry.tables import (
    GOVERNED,
    STAGES,
    VERSIONS,
    Governed,
    audit_head_table,
    audit_table,
    checkpoints_table,
    layouts_table,
    metrics_table,
)
from bluegold.security.signing import Verifier
from bluegold.stores.protocols import RelationalStore
from bluegold.telemetry.chain import GENESIS, Link, verify
from bluegold.telemetry.merkle import Frontier, leaf

__all__ = ["ChainReport", "verify_registry"]


class ChainReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a verification: ``first_bad`` names the first row that does not hold, ``why`` says how."""

    ok: bool
    checked: int
    first_bad: str = ""
    why: str = ""


class _Bad(Exception):  # carries the first bad row out of the checks; never leaves this file
    def __init__(self, name: str, why: str) -> None:
        super().__init__(name)
        self.name = name
        self.why = why


def verify_registry(store: RelationalStore, verifier: Verifier, head_file: Path, archive: AuditArchive) -> ChainReport:
    """Check the whole registry.

    Args:
        store: the registry's relational store.
        verifier: this installation's public key.
        head_file: the second head, beside the key.
        archive: the files of the rows that were moved out.

    Returns:
        a report; tampering is a result, not an error.

    Raises:
        StoreError: the store cannot be read.
    """
    checked = 0
    try:
        copy = _head_copy(head_file, verifier)  # read first: it may lag behind the database, never run ahead
        with store.read() as connection:
            head = _head(connection, verifier)
            claims: dict[int, tuple[str, str]] = {}
            points = _Points(connection, verifier)
            files = _files(connection, archive)
            checked, digest, at_copy = _chain(archive.with_rest(connection), copy.number, claims, points)
            _unchanged(files)
            if checked < head.number:
                raise _Bad(f"audit row {checked + 1}", f"rows {checked + 1} to {head.number} were removed from the end")
            if checked > head.number:
                raise _Bad(f"audit row {head.number + 1}", "it was added without signing the head")
            if digest != head.digest:
                raise _Bad(f"audit row {checked}", "it is not the row that the signed head names")
            if checked < copy.number:
                raise _Bad(f"audit row {checked + 1}", f"the head beside the key has seen row {copy.number}")
            if at_copy != copy.digest:
                raise _Bad(f"audit row {copy.number}", "it is not the row that the head beside the key names")
            for kind in GOVERNED.values():
                _governed(connection, kind, claims)
            if claims:
                number, (table, _) = min(claims.items())
                raise _Bad(f"{table} row of audit row {number}", "it was removed")
            points.end()
            _stages(connection)
            _metrics(connection)
            _layout(connection)
    except IntegrityError as error:
        return ChainReport(ok=False, checked=checked, first_bad=error.subject, why=error.why)
    except _Bad as bad:
        return ChainReport(ok=False, checked=checked, first_bad=bad.name, why=bad.why)
    return ChainReport(ok=True, checked=checked)


def _head_copy(path: Path, verifier: Verifier) -> Head:
    try:
        return read_head(path, verifier)
    except IntegrityError as error:
        raise _Bad(f"file {path.name}", f"the signed head beside the key does not hold: {error.why}") from error


def _head(connection: Connection, verifier: Verifier) -> Head:
    rows = connection.execute(select(audit_head_table)).all()
    if len(rows) != 1:
        raise _Bad("audit_head", f"it has {len(rows)} rows instead of one")
    head = Head(rows[0].number, rows[0].at, rows[0].digest, rows[0].signature)
    try:
        verifier.verify(head_message(head.number, head.digest), head.signature)
    except IntegrityError as error:
        raise _Bad("audit_head", "its signature does not verify") from error
    return head


class _Points:
    """The checkpoints along the chain, each held against the tree over the rows before it."""

    def __init__(self, connection: Connection, verifier: Verifier) -> None:
        query = select(checkpoints_table).order_by(checkpoints_table.c.number)
        self._open = {row.number: row for row in connection.execute(query)}
        self._verifier = verifier
        self._frontier = Frontier(BLOCK.bit_length() - 1)

    def pass_row(self, row: Any) -> None:
        """Take one row of the chain into the tree."""
        try:
            self._frontier.append(leaf(bytes.fromhex(row.digest)))
        except ValueError as error:
            raise _Bad(f"audit row {row.number}", "its digest is none") from error
        point = self._open.pop(row.number, None)
        if point is None:
            if row.number % BLOCK == 0 or row.action == "checkpoint":
                raise _Bad(f"checkpoint of audit row {row.number}", "it was removed")
            return
        name = f"audit_checkpoints row {point.id}"
        block = self._frontier.block.hex() if row.number % BLOCK == 0 else ""
        try:
            message = checkpoint_message(point.number, point.at, point.root)
            self._verifier.verify(message, point.signature)
        except IntegrityError as error:
            raise _Bad(name, "its signature does not verify") from error
        if point.root != self._frontier.root.hex():
            raise _Bad(name, f"the audit rows up to {row.number} are not those it was signed for")
        if point.block != block:
            raise _Bad(name, "its column 'block' was changed")

    def end(self) -> None:
        """No checkpoint may stand for rows that are not there."""
        if self._open:
            number, point = min(self._open.items())
            raise _Bad(f"audit_checkpoints row {point.id}", f"it stands for row {number}, which does not exist")


def _chain(rows: Iterator[Any], mark: int, claims: dict[int, tuple[str, str]], points: _Points) -> tuple[int, str, str]:
    """Walk the chain; collect what the rows claim about governed rows, and the digest at number ``mark``."""
    marked = [GENESIS]

    def links() -> Iterator[Link]:
        for expected, row in enumerate(rows, start=1):
            if row.number != expected:
                raise _Bad(f"audit row {expected}", "it was removed")
            if '"row"' in row.details:
                details = _details(row)
                claims[row.number] = (str(details.get("table")), str(details.get("row")))
            if row.number == mark:
                marked[0] = row.digest
            yield Link(f"audit row {row.number}", row.previous, chain_body(row), row.digest)
            points.pass_row(row)  # only once the row itself was found good

    checked, digest, broken = verify(links())
    if broken is not None:
        raise _Bad(broken.name, broken.why)
    return checked, digest, marked[0]


def _files(connection: Connection, archive: AuditArchive) -> dict[Path, str]:
    """The files of archived rows and the digests they were recorded with; every one must be there."""
    query = select(audit_table.c.subject, audit_table.c.outcome).where(audit_table.c.action == ARCHIVED)
    found = {path.name: path for path in archive.files()}
    recorded = {}
    for name, digest in connection.execute(query):
        if name not in found:
            raise _Bad(f"file {name}", "archived audit rows are in it, and it is gone")
        recorded[found[name]] = digest
    return recorded


def _unchanged(files: dict[Path, str]) -> None:
    for path, recorded in files.items():
        if file_digest(path) != recorded:
            raise _Bad(f"file {path.name}", "it is not the file that was archived")


def _details(row: Any) -> dict[str, Any]:
    try:
        return msgspec.json.decode(row.details, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise _Bad(f"audit row {row.number}", "its details were changed") from error


def _governed(connection: Connection, kind: Governed, claims: dict[int, tuple[str, str]]) -> None:
    """Hold every row of one table against its audit row, and its search columns against its body."""
    query = select(kind.table).order_by(kind.table.c.id).execution_options(yield_per=1000)
    with connection.execute(query) as rows:
        for row in rows:
            name = f"{kind.table.name} row {row.id}"
            if claims.pop(row.audit, None) != (kind.table.name, row_digest(row.body)):
                raise _Bad(name, f"it is not what audit row {row.audit} recorded")
            expected = kind.columns(msgspec.json.decode(row.body, type=kind.noun))
            for column, value in expected.items():
                if row._mapping[column] != value:
                    raise _Bad(name, f"its column '{column}' was changed")


def _stages(connection: Connection) -> None:
    versions, changes = VERSIONS.table, STAGES.table
    last = select(func.max(changes.c.id)).group_by(changes.c.model, changes.c.version)
    bodies = connection.execute(select(changes.c.body).where(changes.c.id.in_(last))).scalars()
    stages = {c.ref: c.to_stage for c in (msgspec.json.decode(body, type=StageChange) for body in bodies)}
    for row in connection.execute(select(versions.c.id, versions.c.model, versions.c.version, versions.c.stage)):
        if stages.get(f"{row.model}:{row.version}") != row.stage:
            raise _Bad(f"versions row {row.id}", f"its stage '{row.stage}' is not that of its last recorded change")


def _layout(connection: Connection) -> None:
    number = connection.execute(select(func.max(layouts_table.c.number))).scalar()
    if number != LAYOUT:
        raise _Bad(f"registry_layouts row {number or LAYOUT}", f"the layout of this registry is {LAYOUT}")


def _metrics(connection: Connection) -> None:
    """The searchable metrics are those of the versions, no more and no fewer."""
    there: dict[tuple[str, str], list[tuple[str, float]]] = {}
    query = select(metrics_table).order_by(metrics_table.c.model, metrics_table.c.version, metrics_table.c.name)
    for row in connection.execute(query.execution_options(yield_per=1000)):
        there.setdefault((row.model, row.version), []).append((row.name, row.value))
    bodies = select(VERSIONS.table.c.id, VERSIONS.table.c.body).execution_options(yield_per=1000)
    with connection.execute(bodies) as rows:
        for row in rows:
            version = msgspec.json.decode(row.body, type=ModelVersion)
            expected = [(one["name"], one["value"]) for one in metric_rows(version)]
            if sorted(there.pop((version.model, version.version), [])) != expected:
                raise _Bad(f"version_metrics row of {version.ref}", "they are not the metrics it was registered with")
    if there:
        model, name = min(there)
        raise _Bad(f"version_metrics row of {model}:{name}", "there is no such version")
