"""Relational store on PostgreSQL, through the same SQLAlchemy core as SQLite."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, NoSuchModuleError, SQLAlchemyError

from bluegold.core.errors import StoreError
from bluegold.stores.relational import RelationalBase

__all__ = ["RelationalPostgresql"]

#: A reader sees one moment; a writer must see what was committed while it waited for the lock.  Beginning and locking
#: are sent together: every message to the server and back costs as much as a small query.
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(7305808869230767204)"
_SENDING = "bluegold sending"
_RESTED_S = 1.0  # a connection that rested longer is asked whether it still stands before it is used


class RelationalPostgresql(RelationalBase):
    """A PostgreSQL database.  Writers queue at an advisory lock, so the audit chain has one order.

    Args:
        url: ``postgresql+psycopg://user:password@host/database`` (the ``psycopg`` driver must be installed).

    Raises:
        StoreError: the URL is no URL or its driver is not installed.

    Example:
        >>> RelationalPostgresql("postgresql+nodriver://host/database")
        Traceback (most recent call last):
        ...
        bluegold.core.errors.StoreError: 'postgresql+nodriver://host/database' cannot be used: ...
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
            if parsed.drivername == "postgresql":
                parsed = parsed.set(drivername="postgresql+psycopg")
            engine = create_engine(
                parsed,
                isolation_level="AUTOCOMMIT",  # transactions are opened by _begin alone
                connect_args={"prepare_threshold": 1},  # the registry asks the same few queries again and again
            )
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise StoreError(
                f"'{url.rpartition('@')[2] if '@' in url else url}' cannot be used",
                why=str(error),
                way_out="write postgresql+psycopg://user:password@host/database and install psycopg",
            ) from error
        event.listen(engine, "begin", _begin)
        event.listen(engine, "before_cursor_execute", _send)
        _ask_after_rest(engine)
        super().__init__(engine, busy=("lock timeout", "deadlock"))

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """As every relational store; what nobody reads the result of is sent without waiting for its answer.

        A statement says so by the execution option ``unread``.  Every message to the server and back costs as much as
        a small query; an error of such a statement comes with the next answer, at the latest with the commit's.

        Raises:
            StoreError: the database cannot be reached or written, or stayed locked too long.
        """
        try:
            with self._writer.connect() as connection, _Sending(connection.connection.driver_connection) as sending:
                connection.info[_SENDING] = sending
                try:
                    with connection.begin():
                        yield connection
                finally:
                    connection.info.pop(_SENDING, None)
        except (SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error) as error:
            raise self._error(self._first(error)) from error

    def _first(self, error: BaseException) -> SQLAlchemyError:
        """What went wrong first: of a pipeline that broke, every later statement says only that it did."""
        kinds, first = (SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error), error
        while isinstance(first.__context__, kinds):
            first = first.__context__
        return first if isinstance(first, SQLAlchemyError) else SQLAlchemyError(str(first))


class _Sending(ExitStack):
    """A pipeline that is open as long as only statements are sent whose results nobody reads."""

    def __init__(self, driver: Any) -> None:
        super().__init__()
        self._driver = driver
        self._open = False

    def turn(self, *, unread: bool) -> None:
        """Before a statement: open it, or close it, which waits for the answers of all before."""
        if unread and not self._open:
            self.enter_context(self._driver.pipeline())
        elif self._open and not unread:
            self.close()
        self._open = unread


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("single", False):
        connection.exec_driver_sql(_WRITE if options.get("writing", False) else _READ)


def _send(connection: Connection, *told: Any) -> None:
    if (sending := connection.info.get(_SENDING)) is not None:
        sending.turn(unread=told[3].execution_options.get("unread", False))


def _ask_after_rest(engine: Engine) -> None:
    """Replace connections that were lost while nobody used them, without asking before every use."""

    def rest(_: Any, record: Any) -> None:
        record.info["rested"] = time.monotonic()

    def ask(connection: Any, record: Any, _: Any) -> None:
        if time.monotonic() - record.info.get("rested", time.monotonic()) < _RESTED_S:
            return
        driver = engine.dialect.loaded_dbapi
        try:
            engine.dialect.do_ping(connection)
        except driver.Error as error:
            raise DisconnectionError(str(error)) from error  # the pool then opens another

    event.listen(engine, "checkin", rest)
    event.listen(engine, "checkout", ask)
