"""Writers of several processes queue; damaged and foreign files are named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from bluegold.core.errors import StoreError
from bluegold.stores.relational_postgresql import RelationalPostgresql
from bluegold.stores.relational_sqlite import RelationalSqlite

COUNT = """
import sys
from sqlalchemy import text
from bluegold.stores.relational_sqlite import RelationalSqlite
store = RelationalSqlite(sys.argv[1])
for _ in range(40):
    with store.write() as connection:
        value = connection.execute(text("SELECT value FROM counter")).scalar_one()
        connection.execute(text("UPDATE counter SET value = :value"), {"value": value + 1})
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/deep/registry.db"


@pytest.fixture
def store(url: str) -> Iterator[RelationalSqlite]:
    opened = RelationalSqlite(url)
    with opened.write() as connection:
        connection.execute(text("CREATE TABLE counter (value INTEGER)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))
    yield opened
    opened.close()


def test_concurrent_writers_lose_nothing(store: RelationalSqlite, url: str) -> None:
    children = [subprocess.Popen([sys.executable, "-c", COUNT, url]) for _ in range(3)]
    assert [child.wait(timeout=120) for child in children] == [0, 0, 0]
    with store.read() as connection:
        assert connection.execute(text("SELECT value FROM counter")).scalar_one() == 120


def test_the_file_is_durable_and_checked(store: RelationalSqlite) -> None:
    with store.read() as connection:
        pragmas = [connection.execute(text(f"PRAGMA {n}")).scalar() for n in ("journal_mode", "synchronous")]
        assert pragmas == ["wal", 2]
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"this was never a database" * 100)
    store = RelationalSqlite(f"sqlite:///{path}")
    with pytest.raises(StoreError, match=r"x\.db.*restore it"):
        store.ping()
    store.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "no url"])
def test_a_url_without_a_file_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="sqlite:///"):
        RelationalSqlite(url)


def test_no_error_shows_the_password_of_a_url() -> None:
    with pytest.raises(StoreError) as caught:
        RelationalPostgresql("postgresql+nodriver://ada:sesame@host/database")
    assert "sesame" not in str(caught.value)
