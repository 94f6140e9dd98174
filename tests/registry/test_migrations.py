"""A registry of an older release opens, migrates whole or not at all, and still verifies; a newer one is refused."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing

import pytest
from sqlalchemy import insert

from bluegold.core.errors import IntegrityError, RegistryError
from bluegold.core.nouns import ModelVersion
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
from bluegold.registry.migrations.steps import LAYOUT
from bluegold.registry.search import parse
from bluegold.registry.tables import layouts_table

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

KILLED = """
import os, signal, sys
from pathlib import Path
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
from bluegold.registry.migrations import steps
last = steps.STEPS[steps.LAYOUT]
def then_die(connection, signer):
    last(connection, signer)
    print(sorted(connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
steps.STEPS[steps.LAYOUT] = then_die
Registry.open(Workspace(Path(sys.argv[1])))
"""


def layout(space: Workspace) -> list[str]:
    with closing(sqlite3.connect(space.database)) as database:
        return [sql for (sql,) in database.execute("SELECT sql FROM sqlite_master WHERE sql > '' ORDER BY name")]


def columns(space: Workspace) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(space.database)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master ORDER BY name")]
        found = {f"table {n}": sorted(c[1:4] for c in database.execute(f"PRAGMA table_info('{n}')")) for n in names}
        parts = {n: [part[2:] for part in database.execute(f"PRAGMA index_info('{n}')")] for n in names}
        return found | {f"index {n}": part for n, part in parts.items() if not n.startswith("sqlite_")}


@pytest.fixture(params=[FIRST, SECOND], ids=["first", "second"])
def old(request: pytest.FixtureRequest, space: Workspace, registry: Registry, add: Add) -> Workspace:
    """Signed rows of today's registry in the tables of an older release."""
    add("Production")
    add("Canary")
    registry.approvals.approve("flights:v2", "ben")
    registry.close()
    now = space.database.with_name("now.db")
    space.database.rename(now)
    for rest in space.root.glob("bluegold.db-*"):
        rest.unlink()
    with closing(sqlite3.connect(space.database)) as database:
        database.executescript(request.param)
        database.execute("ATTACH ? AS now", (str(now),))
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            kept = ", ".join(column[1] for column in database.execute(f"PRAGMA main.table_info('{name}')"))
            database.execute(f"INSERT INTO main.{name} ({kept}) SELECT {kept} FROM now.{name}")  # noqa: S608 - our own names
        database.commit()
    now.unlink()
    return space


def test_an_older_registry_opens_with_todays_layout_and_its_chain_holds(
    old: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Registry.open(old, actor="ada") as opened:
        report = opened.audit.verify()
        assert report.ok, report
        [migrated] = [event for event in opened.audit.events() if event.action == "migrate"]
        assert migrated.outcome.endswith(f"to {LAYOUT}")
        found = opened.versions.search(parse(["author:ada", "auc>=0.9", "stage:canary"]))
        assert [version.ref for version in found] == ["flights:v2"]
        for _ in range(2):  # the old index allowed one only
            opened.approvals.approve("flights:v2", "cy")
        assert opened.promote("flights:v2").blue == "flights:v2"
    with Registry.open(old, actor="ada") as opened:
        assert [event.action for event in opened.audit.events()].count("migrate") == 1
        assert opened.audit.verify().ok
    fresh = Workspace.create(tmp_path_factory.mktemp("fresh") / "w")
    Registry.open(fresh).close()
    assert columns(old) == columns(fresh)


def test_a_migration_that_is_killed_leaves_the_old_registry_whole(old: Workspace) -> None:
    before = layout(old)
    command = [sys.executable, "-c", KILLED, str(old.root)]
    child = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert "registry_layouts" in child.stdout  # it was there, in the transaction that was lost
    assert layout(old) == before
    with Registry.open(old) as opened:
        assert opened.audit.verify().ok


def test_a_registry_whose_chain_was_cut_is_not_migrated(old: Workspace) -> None:
    before = layout(old)
    with closing(sqlite3.connect(old.database)) as database:
        database.execute("UPDATE audit_head SET number = number - 1")
        database.commit()
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
