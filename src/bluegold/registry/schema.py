"""The layout of an older registry brought up to date: columns added and filled, indices made, one index dropped."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, func, insert, inspect, select, text, update
from sqlalchemy.schema import CreateColumn

from bluegold.core.nouns import ModelVersion
from bluegold.registry.checkpoints import checkpoints_between
from bluegold.registry.tables import VERSIONS, audit_head_table, metadata, metrics_table
from bluegold.security.signing import Signer
from bluegold.stores.protocols import RelationalStore

__all__ = ["metric_rows", "upgrade"]

_GONE = ("one_approval_per_person",)


def metric_rows(version: ModelVersion) -> list[dict[str, object]]:
    """The rows of the metrics table that follow from a version."""
    return [
        {"model": version.model, "version": version.version, "name": name, "value": value}
        for name, value in sorted(version.metrics.items())
    ]


def upgrade(store: RelationalStore, signer: Signer) -> None:
    """Bring a registry that lacks what this release needs up to date; others are left alone.

    Raises:
        StoreError: the store cannot be changed; nothing was.
    """
    with store.read() as connection:
        found = inspect(connection)
        if not found.has_table("versions") or "author" in {column["name"] for column in found.get_columns("versions")}:
            return
    with store.write() as connection:
        _columns(connection)
        for name in _GONE:
            connection.execute(text(f"DROP INDEX IF EXISTS {name}"))
        metadata.create_all(connection)
        for table in metadata.sorted_tables:
            for index in table.indexes:
                index.create(connection, checkfirst=True)
        _fill(connection)
        head = connection.execute(select(audit_head_table.c.number, audit_head_table.c.at)).one()
        checkpoints_between(connection, 0, head.number, head.at, signer)


def _columns(connection: Connection) -> None:
    for table in metadata.sorted_tables:
        if not inspect(connection).has_table(str(table.name)):
            continue
        there = {column["name"] for column in inspect(connection).get_columns(str(table.name))}
        for column in table.columns:
            if column.name not in there:
                words = CreateColumn(column).compile(dialect=connection.dialect)
                connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {words}"))


def _fill(connection: Connection) -> None:
    """The new columns of the versions follow from their bodies, as do the metrics."""
    table = VERSIONS.table
    if connection.execute(select(func.count()).select_from(metrics_table)).scalar():
        return
    for row in connection.execute(select(table.c.id, table.c.body)).all():
        version = msgspec.json.decode(row.body, type=ModelVersion)
        connection.execute(update(table).where(table.c.id == row.id).values(**VERSIONS.columns(version)))
        if rows := metric_rows(version):
            connection.execute(insert(metrics_table), rows)
