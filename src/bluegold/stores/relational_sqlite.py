"""Relational store on SQLite: one file, write-ahead log, durable commits, one writer at a time."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bluegold.core.errors import StoreError
from bluegold.stores.relational import RelationalBase

__all__ = ["RelationalSqlite"]

BUSY_MS = 15_000
REOPENED_S = 1  # a connection goes on with a file that was moved beneath it; only a new one sees what is there


class RelationalSqlite(RelationalBase):
    """A SQLite file.  Writers of all processes queue at ``BEGIN IMMEDIATE``; readers never wait.

    The file is made here and never again: one that is moved away later is an error, not an empty database.

    Args:
        url: ``sqlite:///path/to/file.db`` (no in-memory database: stores are shared by processes).

    Raises:
        StoreError: the folder or file cannot be opened.

    Example:
        >>> import tempfile
        >>> store = RelationalSqlite(f"sqlite:///{tempfile.mkdtemp()}/registry.db")
        >>> store.ping()
        >>> store.close()
    """

    def __init__(self, url: str) -> None:
        try:
            database = make_url(url).database
        except ArgumentError as error:
            raise StoreError(f"'{url}' is no database URL", way_out="write sqlite:///path/to/file.db") from error
        if not database or database == ":memory:":
            raise StoreError(f"'{url}' names no file", way_out="write sqlite:///path/to/file.db")
        try:
            Path(database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"'{database}' cannot be made", why=error.strerror or str(error)) from error
        path = Path(database).absolute()
        try:
            sqlite3.connect(path).close()
        except sqlite3.Error as error:
            raise StoreError(f"'{database}' cannot be opened", why=str(error)) from error
        engine = create_engine(url, creator=lambda: _connect(path), pool_recycle=REOPENED_S)
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        super().__init__(engine, busy=("locked", "busy"))


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, check_same_thread=False, timeout=BUSY_MS / 1000)


def _configure(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions are opened by _begin alone
    for pragma in (
        f"busy_timeout = {BUSY_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("single", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writing", False) else "BEGIN")
