"""A registry of an older release opens, migrates whole or not at all, and still verifies; a newer one is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote

import pytest
from sqlalchemy import Connection, Engine, create_engine, insert, inspect, text

from bluegold.core.errors import IntegrityError, RegistryError
from bluegold.core.nouns import ModelVersion
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
from bluegold.registry.migrations.steps import LAYOUT
from bluegold.registry.search import parse
from bluegold.registry.tables import layouts_table
from bluegold.stores.relational_postgresql import RelationalPostgresql

Add = Callable[..., ModelVersion]

GOVERNED = "body TEXT NOT NULL, audit INTEGER NOT NULL UNIQUE"
NAMED = "id INTEGER NOT NULL PRIMARY KEY, model VARCHAR NOT NULL, version VARCHAR NOT NULL"

#: what the first release made, as it made it
FIRST = f"""
CREATE TABLE audit (number INTEGER NOT NULL PRIMARY KEY, at BIGINT NOT NULL, who VARCHAR NOT NULL,
    action VARCHAR NOT NULL, subject VARCHAR NOT NULL, outcome VARCHAR NOT NULL, details TEXT NOT NULL,
    previous VARCHAR(64) NOT NULL, digest VARCHAR(64) NOT NULL);
CREATE INDEX audit_by_subject ON audit (subject, number);
CREATE TABLE audit_head (id INTEGER NOT NULL PRIMARY KEY, number INTEGER NOT NULL, at BIGINT NOT NULL,
    digest VARCHAR(64) NOT NULL, signature VARCHAR NOT NULL);
CREATE TABLE versions ({NAMED}, number INTEGER NOT NULL, stage VARCHAR NOT NULL, digest VARCHAR(64) NOT NULL,
    {GOVERNED});
CREATE UNIQUE INDEX versions_by_name ON versions (model, number);
CREATE UNIQUE INDEX versions_by_digest ON versions (model, digest);
CREATE INDEX versions_by_stage ON versions (model, stage);
CREATE UNIQUE INDEX one_production_per_model ON versions (model) WHERE stage = 'Production';
CREATE TABLE stage_changes ({NAMED}, from_stage VARCHAR, to_stage VARCHAR NOT NULL, at BIGINT NOT NULL, {GOVERNED});
CREATE INDEX stage_changes_into ON stage_changes (model, to_stage, id);
CREATE INDEX stage_changes_out_of ON stage_changes (model, version, from_stage, id);
CREATE TABLE approvals ({NAMED}, actor VARCHAR NOT NULL, {GOVERNED});
CREATE UNIQUE INDEX one_approval_per_person ON approvals (model, version, actor);
CREATE TABLE gate_reports ({NAMED}, gate VARCHAR NOT NULL, verdict VARCHAR NOT NULL, {GOVERNED});
CREATE INDEX gate_reports_by_version ON gate_reports (model, version, id);
CREATE TABLE traffic (id INTEGER NOT NULL PRIMARY KEY, model VARCHAR NOT NULL, revision INTEGER NOT NULL, {GOVERNED});
CREATE UNIQUE INDEX traffic_by_revision ON traffic (model, revision);
CREATE TABLE releases ({NAMED}, release VARCHAR NOT NULL, phase VARCHAR NOT NULL, {GOVERNED});
CREATE INDEX releases_by_model ON releases (model, id);
CREATE INDEX releases_by_release ON releases (release, id);
CREATE TABLE edges (source VARCHAR NOT NULL, relation VARCHAR NOT NULL, target VARCHAR NOT NULL,
    PRIMARY KEY (source, relation, target));
CREATE INDEX edges_by_target ON edges (target);
"""

#: and the second
SECOND = (
    FIRST
    + f"""
DROP INDEX one_approval_per_person;
CREATE INDEX approvals_by_version ON approvals (model, version, id);
ALTER TABLE versions ADD COLUMN author VARCHAR DEFAULT '' NOT NULL;
ALTER TABLE versions ADD COLUMN at BIGINT DEFAULT 0 NOT NULL;
CREATE UNIQUE INDEX versions_by_version ON versions (version, model);
CREATE INDEX versions_by_author ON versions (author, id);
CREATE TABLE reviews ({NAMED}, actor VARCHAR NOT NULL, says VARCHAR NOT NULL, {GOVERNED});
CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR NOT NULL, key VARCHAR NOT NULL, {GOVERNED});
CREATE TABLE version_metrics (id INTEGER NOT NULL PRIMARY KEY, model VARCHAR NOT NULL, version VARCHAR NOT NULL,
    name VARCHAR NOT NULL, value FLOAT NOT NULL);
CREATE TABLE audit_checkpoints (id INTEGER NOT NULL PRIMARY KEY, number INTEGER NOT NULL UNIQUE, at BIGINT NOT NULL,
    root VARCHAR(64) NOT NULL, block VARCHAR(64) NOT NULL, signature VARCHAR NOT NULL);
"""
)

#: and the third, which says which it is
THIRD = (
    SECOND
    + """
CREATE TABLE registry_layouts (number INTEGER NOT NULL PRIMARY KEY);
CREATE INDEX audit_by_action ON audit (action, subject, number)
    WHERE action = 'anchor' OR action = 'archive audit' OR action = 'cut';
"""
)
LAYOUTS = {"first": FIRST, "second": SECOND, "third": THIRD}
EACH = pytest.mark.parametrize(
    ("kind", "old"),
    [("sqlite", name) for name in LAYOUTS] + [("postgresql", "first"), ("postgresql", "third")],
    indirect=True,
)

KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import inspect
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
from bluegold.registry.migrations import steps
last = steps.STEPS[steps.LAYOUT]
def then_die(connection, signer):
    last(connection, signer)
    print([column["name"] for column in inspect(connection).get_columns("versions")], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
steps.STEPS[steps.LAYOUT] = then_die
Registry.open(Workspace(Path(sys.argv[1])))
"""


@contextmanager
def database(space: Workspace) -> Iterator[Connection]:
    """The registry's database past the product; committed at the end."""
    url = os.environ.get("BLUEGOLD_RELATIONAL_URL", "")
    engine: Engine = RelationalPostgresql(url).engine if url else create_engine(f"sqlite:///{space.database}")
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    finally:
        engine.dispose()


def layout(space: Workspace) -> dict[str, object]:
    """Every table with its columns, keys and indexes."""
    with database(space) as connection:
        found = inspect(connection)
        tables: dict[str, object] = {}
        for name in found.get_table_names():
            columns = sorted(
                (one["name"], str(one["type"]), getattr(one["type"], "collation", None), one["nullable"])
                for one in found.get_columns(name)
            )
            indexes = sorted((one["name"] or "", one["column_names"], one["unique"]) for one in found.get_indexes(name))
            tables[name] = (columns, found.get_pk_constraint(name)["constrained_columns"], indexes)
        return tables


def aside(connection: Connection, space: Workspace) -> str:
    """Put today's tables where they are out of the way; the name to reach them by."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("ATTACH :file AS now"), {"file": str(space.database.with_name("now.db"))})
        return "now"
    schema = unquote(os.environ["BLUEGOLD_RELATIONAL_URL"]).rpartition("search_path=")[2]
    connection.execute(text(f"ALTER SCHEMA {schema} RENAME TO now_{schema}"))
    connection.execute(text(f"CREATE SCHEMA {schema}"))
    return f"now_{schema}"


def put_back(connection: Connection, name: str, now: str) -> None:
    """The rows of one table, as far as the older table has columns for them."""
    kept = ", ".join(column["name"] for column in inspect(connection).get_columns(name))
    connection.execute(text(f"INSERT INTO {name} ({kept}) SELECT {kept} FROM {now}.{name}"))  # noqa: S608 - our own names
    if connection.dialect.name == "postgresql" and " id" in f" {kept}":
        connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), 1 + max(id)) FROM {name}"))  # noqa: S608


def _spoken(statement: str, dialect: str, layout: str) -> str:
    """As that release made it in that database."""
    if dialect == "sqlite":
        return statement
    if "TABLE audit_head" not in statement:
        statement = statement.replace("id INTEGER NOT NULL PRIMARY KEY", "id SERIAL PRIMARY KEY")
    return statement.replace("body TEXT", 'body TEXT COLLATE "C"') if layout == "third" else statement


@pytest.fixture
def old(request: pytest.FixtureRequest, space: Workspace, registry: Registry, add: Add) -> Workspace:
    """Signed rows of today's registry in the tables of an older release."""
    add("Production")
    add("Canary")
    registry.approvals.approve("flights:v2", "ben")
    registry.close()
    if space.database.exists():
        space.database.rename(space.database.with_name("now.db"))
    for rest in space.root.glob("bluegold.db-*"):
        rest.unlink()
    with database(space) as connection:
        now = aside(connection, space)
        for statement in filter(str.strip, LAYOUTS[request.param].split(";\n")):
            connection.execute(text(_spoken(statement, connection.dialect.name, request.param)))
        for name in inspect(connection).get_table_names():
            put_back(connection, name, now)
        if request.param == "third":
            connection.execute(text("UPDATE registry_layouts SET number = 3"))
    return space


@EACH
def test_an_older_registry_opens_with_todays_layout_and_its_chain_holds(
    old: Workspace,
    kind: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    with Registry.open(old, actor="ada") as opened:
        report = opened.audit.verify()
        assert report.ok, report
        [migrated] = [event for event in opened.audit.events() if event.action == "migrate"]
        assert migrated.outcome.endswith(f"to {LAYOUT}")
        found = opened.versions.search(parse(["author:ada", "auc>=0.9", "stage:canary"]))
        assert [version.ref for version in found] == ["flights:v2"]
        assert len(opened.versions.search(parse(["RUN-1", "num_leaves"]))) == 2
        for _ in range(2):  # the old index allowed one only
            opened.approvals.approve("flights:v2", "cy")
        assert opened.promote("flights:v2").blue == "flights:v2"
    with Registry.open(old, actor="ada") as opened:
        assert [event.action for event in opened.audit.events()].count("migrate") == 1
        assert opened.audit.verify().ok
    migrated_layout = layout(old)
    if kind == "postgresql":
        monkeypatch.setenv("BLUEGOLD_RELATIONAL_URL", request.getfixturevalue("postgresql")())
    fresh = Workspace.create(tmp_path_factory.mktemp("fresh") / "w")
    Registry.open(fresh).close()
    assert migrated_layout == layout(fresh)


@EACH
def test_a_migration_that_is_killed_leaves_the_old_registry_whole(old: Workspace) -> None:
    before = layout(old)
    command = [sys.executable, "-c", KILLED, str(old.root)]
    child = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert "words" in child.stdout  # it was there, in the transaction that was lost
    assert layout(old) == before
    with Registry.open(old) as opened:
        assert opened.audit.verify().ok


@EACH
def test_a_registry_whose_chain_was_cut_is_not_migrated(old: Workspace) -> None:
    before = layout(old)
    with database(old) as connection:
        connection.execute(text("UPDATE audit_head SET number = number - 1"))
    with pytest.raises(IntegrityError):
        Registry.open(old)
    assert layout(old) == before


def test_a_newer_registry_is_refused_in_one_sentence(space: Workspace, registry: Registry) -> None:
    with registry.audit.store.write() as connection:
        connection.execute(insert(layouts_table), {"number": LAYOUT + 4})
    registry.close()
    before = space.database.read_bytes()
    with pytest.raises(RegistryError, match=f"layout {LAYOUT + 4}, and this release of bluegold knows .* {LAYOUT}"):
        Registry.open(space)
    assert space.database.read_bytes() == before
