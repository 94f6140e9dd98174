"""What the relational adapters share: an engine, read and write transactions, one kind of error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, MetaData, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bluegold.core.errors import StoreError

__all__ = ["RelationalBase"]


class RelationalBase:
    """Transactions over a SQLAlchemy engine.

    Args:
        engine: a configured engine.
        lock: SQL that makes a write transaction wait for all other writers; empty when BEGIN does so.
        busy: lower-case pieces of the driver's message that mean "another writer is too long at it".
    """

    def __init__(self, engine: Engine, *, lock: str = "", busy: tuple[str, ...] = ()) -> None:
        self.engine = engine
        self._writer = engine.execution_options(writing=True)
        self._lock = lock
        self._busy = busy
        self.name = engine.url.render_as_string(hide_password=True)

    def create(self, metadata: MetaData) -> None:
        """Create the tables of ``metadata`` that do not exist yet."""
        with self.read() as connection:
            missing = set(metadata.tables) - set(inspect(connection).get_table_names())
        if missing:
            with self.write() as connection:
                metadata.create_all(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent read transaction.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        try:
            with self.engine.connect() as connection, connection.begin():
                yield connection
        except SQLAlchemyError as error:
            raise self._error(error) from error

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One write transaction, serialised against all other writers; an exception undoes it whole.

        Raises:
            StoreError: the database cannot be reached or written, or stayed locked too long.
        """
        try:
            with self._writer.connect() as connection, connection.begin():
                if self._lock:
                    connection.execute(text(self._lock))
                yield connection
        except SQLAlchemyError as error:
            raise self._error(error) from error

    def ping(self) -> None:
        """Ask the database for one number; raises ``StoreError`` when it does not answer."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _error(self, error: SQLAlchemyError) -> StoreError:
        why = str(error.orig) if isinstance(error, DBAPIError) and error.orig is not None else str(error)
        why = " ".join(why.split())
        way_out = "check that the database can be reached, its rights and its free space"
        if any(piece in why.lower() for piece in self._busy):
            way_out = "another writer holds the database: end it or try again"
        elif "malformed" in why or "not a database" in why:
            way_out = "the file is damaged: restore it from a backup"
        return StoreError(f"relational store '{self.name}' failed", why=why, way_out=way_out)
