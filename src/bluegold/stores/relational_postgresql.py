"""Relational store on PostgreSQL, through the same SQLAlchemy core as SQLite."""

from __future__ import annotations

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from bluegold.core.errors import StoreError
from bluegold.stores.relational import RelationalBase

__all__ = ["RelationalPostgresql"]

_LOCK = "SELECT pg_advisory_xact_lock(7305808869230767204)"


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
            engine = create_engine(parsed, pool_pre_ping=True, isolation_level="REPEATABLE READ")
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise StoreError(
                f"'{url.rpartition('@')[2] if '@' in url else url}' cannot be used",
                why=str(error),
                way_out="write postgresql+psycopg://user:password@host/database and install psycopg",
            ) from error
        super().__init__(engine, lock=_LOCK, busy=("lock timeout", "deadlock"))
        # A writer must see what was committed while it waited for the lock; a reader sees one moment.
        self._writer = engine.execution_options(isolation_level="READ COMMITTED")
