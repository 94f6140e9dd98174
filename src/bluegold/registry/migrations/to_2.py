"""To layout 2: versions can be searched by author, time and metrics; several approvals a person; checkpoints."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, func, insert, inspect, select, text, update
from sqlalchemy.schema import CreateColumn

from bluegold.core.nouns import ModelVersion
from bluegold.registry.checkpoints import checkpoints_between
from bluegold.registry.schema import metric_rows
from bluegold.registry.tables import (
    VERSIONS,
    audit_head_table,
    checkpoints_table,
    metadata,
    metrics_table,
    micros,
)
from bluegold.security.signing import Signer

__all__ = ["run"]


def run(connection: Connection, signer: Signer) -> None:
    """Add and fill the columns, drop the index, make the tables, sign the checkpoints of the rows that are there."""
    versions = VERSIONS.table
    there = {column["name"] for column in inspect(connection).get_columns("versions")}
    for column in (versions.c.author, versions.c.at):
        if column.name not in there:
            words = CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(text(f"ALTER TABLE versions ADD COLUMN {words}"))
    connection.execute(text("DROP INDEX IF EXISTS one_approval_per_person"))
    metadata.create_all(connection, tables=[metrics_table, checkpoints_table])
    if not connection.execute(select(func.count()).select_from(metrics_table)).scalar():
        for row in connection.execute(select(versions.c.id, versions.c.body)).all():
            version = msgspec.json.decode(row.body, type=ModelVersion)
            values = {"author": version.author, "at": micros(version.created_at)}
            connection.execute(update(versions).where(versions.c.id == row.id).values(**values))
            if rows := metric_rows(version):
                connection.execute(insert(metrics_table), rows)
    head = connection.execute(select(audit_head_table.c.number, audit_head_table.c.at)).one()
    checkpoints_between(connection, 0, head.number, head.at, signer)
