"""The registry's tables from one database into another, row by row as they are: signatures and digests go along."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, MetaData, Table, func, insert, inspect, select, text

from bluegold.core.errors import UsageError
from bluegold.registry.migrations.steps import layout_in
from bluegold.registry.tables import metadata
from bluegold.stores.graph_relational import metadata as graph
from bluegold.stores.protocols import RelationalStore
from bluegold.stores.relational_sqlite import RelationalSqlite

__all__ = ["load_registry", "save_registry", "unload_registry"]

_ROWS = 2_000
_PARTS: tuple[MetaData, ...] = (metadata, graph)


def save_registry(store: RelationalStore, path: Path) -> None:
    """Write a registry, as it is at one moment, to a SQLite file that must not exist yet.

    Raises:
        StoreError: the registry cannot be read, or the file not written.
    """
    copy = RelationalSqlite(f"sqlite:///{path}")
    try:
        for part in _PARTS:
            copy.create(part)
        with store.read() as source, copy.write() as target:
            _copy(source, target)
        with copy.engine.connect() as connection:  # one file, without a log beside it
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA journal_mode = DELETE")
    finally:
        copy.close()


def load_registry(path: Path, store: RelationalStore) -> None:
    """Fill an empty database from a file of :func:`save_registry`, in one transaction.

    Raises:
        UsageError: the database holds a registry already, or the file is of the first layout.
        StoreError: the file cannot be read, or the database not written; nothing is in it then.
    """
    with store.read() as connection:
        if layout_in(connection) is not None:
            raise UsageError(
                "the database of BLUEGOLD_RELATIONAL_URL holds a registry already",
                way_out="name an empty database, or restore without that variable into the workspace itself",
            )
    kept = RelationalSqlite(f"sqlite:///{path}")
    try:
        with kept.read() as source, store.write() as target:
            if layout_in(source) == 1:
                raise UsageError(
                    "the registry in this backup has the first layout, which only an embedded database is brought from",
                    way_out="restore it without BLUEGOLD_RELATIONAL_URL, then back it up anew",
                )
            for part in _PARTS:
                part.create_all(target)
            _copy(source, target)
            for part in _PARTS:
                for table in part.sorted_tables:
                    _go_on_counting(target, table)
    finally:
        kept.close()


def unload_registry(store: RelationalStore) -> None:
    """Take back what :func:`load_registry` wrote."""
    with store.write() as connection:
        for part in _PARTS:
            part.drop_all(connection)


def _copy(source: Connection, target: Connection) -> None:
    there = set(inspect(source).get_table_names())
    for part in _PARTS:
        for table in part.sorted_tables:
            if table.name not in there:
                continue
            kept = {column["name"] for column in inspect(source).get_columns(table.name)}  # an older layout has fewer
            columns = select(*(column for column in table.c if column.name in kept))
            with source.execute(columns.execution_options(yield_per=_ROWS)) as rows:
                for some in rows.mappings().partitions(_ROWS):
                    target.execute(insert(table), [dict(row) for row in some])


def _go_on_counting(connection: Connection, table: Table) -> None:
    """PostgreSQL counts rows apart from the table: the next row gets the number after the last one."""
    column = table.autoincrement_column
    if connection.dialect.name != "postgresql" or column is None:
        return
    last = connection.execute(select(func.max(column))).scalar()
    if last is not None:
        name = {"name": table.name, "column": column.name, "last": last}
        connection.execute(text("SELECT setval(pg_get_serial_sequence(:name, :column), :last)"), name)
