"""What the relational adapters share: an engine, read and write transactions, one kind of error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, Row, Select, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bluegold.core.errors import StoreError

__all__ = ["RelationalBase"]


class RelationalBase:
    """Transactions over a SQLAlchemy engine.

    Args:
        engine: a configured engine.
            Its ``begin`` event opens the transactions: none for a connection with the option ``single``, one that
            waits for all other writers for one with the option ``writing``.
        busy: lower-case pieces of the driver's message that mean "another writer is too long at it".
    """

    def __init__(self, engine: Engine, *, busy: tuple[str, ...] = ()) -> None:
        self.engine = engine
        self._writer = engine.execution_options(writing=True)
        self._single = engine.execution_options(single=True)
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

    def rows(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """The rows of one query, which is a transaction by itself.

        Args:
            query: the query.
            values: its bound parameters.

        Raises:
            StoreError: the database cannot be reached or read.
        """
        try:
            with self._single.connect() as connection:
                return connection.execute(query, values).all()
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
