"""Whatever is changed, removed, inserted or cut in the registry is found and named."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Executable, Table, delete, insert, select, update

from bluegold.core.errors import BluegoldError, IntegrityError
from bluegold.core.nouns import GateReport, ModelVersion, TrafficSplit, now
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
from bluegold.registry.tables import GOVERNED, metadata
from bluegold.registry.verification import ChainReport

Add = Callable[..., ModelVersion]


@pytest.fixture
def full(registry: Registry, add: Add) -> Registry:
    """A registry with rows in every table."""
    add("Production")
    gold = add("Canary")
    registry.approvals.approve(gold.ref, "ben", "looks right")
    registry.reviews.add(gold.ref, "why so few trees?", actor="cy", evidence=[registry.reviews.attach("a.txt", b"a")])
    report = GateReport(
        gate="gate_1_model", candidate=gold.ref, verdict="pass", measures=(), reason="met", seconds=0.1, at=now()
    )
    registry.gates.record(report)
    registry.releases.open(gold.ref)
    registry.releases.advance("r1", "gates")
    registry.traffic.set(TrafficSplit(model="flights", revision=0, blue="v1"))
    registry.traffic.set(TrafficSplit(model="flights", revision=0, blue="v1", gold="v2", mode="shadow"))
    registry.audit.checkpoint()
    registry.users.add("ada", ("operator", "developer"))
    registry.audit.append("automatic:look", "looked", "flights:v2", details={"why": "curiosity"})
    assert registry.audit.verify().ok
    return registry


def run(registry: Registry, statement: Executable) -> int:
    with registry.audit.store.write() as connection:
        return connection.execute(statement).rowcount  # type: ignore[attr-defined, no-any-return] # all of them change rows


def rows(registry: Registry, table: Table) -> list[dict[str, object]]:
    with registry.audit.store.read() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


def spoiled(value: object) -> object:
    if value is None:
        return "Staging"
    if isinstance(value, int | float):
        return value + 1_000_000
    word = str(value)
    return word[:-1] + ("x" if word[-1:] != "x" else "y")


# The head's time is a copy of the newest row's, and the identifiers order rows but say nothing.
# Leases hold for seconds and guard nothing that outlives them.
CELLS = [
    (table.name, column.name)
    for table in metadata.sorted_tables
    for column in table.columns
    if table.name != "leases" and column.name != "id" and (table.name, column.name) != ("audit_head", "at")
]


@pytest.mark.parametrize(("name", "column"), CELLS, ids=[".".join(cell) for cell in CELLS])
def test_a_change_of_any_cell_is_found(full: Registry, name: str, column: str) -> None:
    table = metadata.tables[name]
    key = next(iter(table.primary_key.columns))
    for row in rows(full, table):
        bad = spoiled(row[column])
        run(full, update(table).where(key == row[key.name]).values({column: bad}))
        report = full.audit.verify()
        assert not report.ok, f"{name}.{column} of row {row[key.name]} was changed unseen"
        assert ("audit_head" if name == "audit_head" else "row") in report.first_bad
        assert report.why
        now_at = bad if column == key.name else row[key.name]
        run(full, update(table).where(key == now_at).values({column: row[column]}))
    assert full.audit.verify().ok


@pytest.mark.parametrize("name", [*GOVERNED, "audit"])
def test_a_removed_row_is_found_and_named(full: Registry, name: str) -> None:
    table = metadata.tables[name]
    key = table.c.number if name == "audit" else table.c.id
    for row in rows(full, table):
        run(full, delete(table).where(key == row[key.name]))
        report = full.audit.verify()
        assert not report.ok
        assert str(row["number" if name == "audit" else "audit"]) in report.first_bad
        run(full, insert(table).values(row))
    assert full.audit.verify().ok


def test_an_inserted_row_is_found_and_named(full: Registry) -> None:
    table = metadata.tables["approvals"]
    approval = rows(full, table)[0]
    forged = {"id": 2, "actor": "eve", "body": str(approval["body"]).replace("ben", "eve"), "audit": 999}
    run(full, insert(table).values(approval | forged))
    report = full.audit.verify()
    assert report.first_bad == "approvals row 2"
    assert "999" in report.why


def test_a_cut_tail_is_found_and_never_continued(full: Registry) -> None:
    audit, head = metadata.tables["audit"], metadata.tables["audit_head"]
    last = full.audit.events(limit=1000)[-1]
    run(full, delete(audit).where(audit.c.number == last.number))
    report = full.audit.verify()
    assert report.first_bad == f"audit row {last.number}"
    assert "removed from the end" in report.why
    run(full, update(head).values(number=last.number - 1, digest=last.previous))
    assert full.audit.verify().first_bad == "audit_head"
    with pytest.raises(IntegrityError, match="nothing is added to it"):
        full.audit.append("automatic:look", "looked", "away")


def test_a_database_put_back_from_an_older_copy_is_found(full: Registry, space: Workspace, tmp_path: Path) -> None:
    full.close()
    shutil.copy(space.database, tmp_path / "old.db")
    with Registry.open(space, actor="ada") as registry:
        registry.audit.append("automatic:look", "something", "to be forgotten")
        number = registry.audit.events(limit=1000)[-1].number
    for path in space.root.glob("bluegold.db*"):
        path.unlink()
    shutil.copy(tmp_path / "old.db", space.database)
    with Registry.open(space, actor="ada") as registry:
        report = registry.audit.verify()
        assert report == ChainReport(
            ok=False,
            checked=number - 1,
            first_bad=f"audit row {number}",
            why=f"the head beside the key has seen row {number}",
        )
        with pytest.raises(IntegrityError, match=f"signed row {number}"):
            registry.audit.append("automatic:look", "looked", "away")


def test_a_lost_or_torn_head_file(full: Registry, space: Workspace) -> None:
    path = space.keys / "audit.head"
    whole = path.read_bytes()
    for start in (0, 512):  # one torn slot is a crash, not tampering
        torn = bytearray(whole)
        torn[start : start + 100] = b"\0" * 100
        path.write_bytes(torn)
        assert full.audit.verify().ok
    path.write_bytes(b"")
    assert full.audit.verify().first_bad == "file audit.head"
    path.unlink()
    assert full.audit.verify().first_bad == "file audit.head"
    with pytest.raises(IntegrityError):
        full.audit.append("automatic:look", "looked", "away")


def test_events_are_paged_and_filtered(full: Registry) -> None:
    everything = full.audit.events(limit=1000)
    assert [e.number for e in everything] == list(range(1, len(everything) + 1))
    assert full.audit.events(since=3, limit=2) == everything[3:5]
    assert {e.subject for e in full.audit.events(subject="flights:v2")} == {"flights:v2"}
    last = everything[-1]
    assert (last.who, last.action, last.outcome, last.details) == (
        "automatic:look",
        "looked",
        "done",
        {"why": "curiosity"},
    )
    assert last.at.tzinfo is dt.timezone.utc


def test_time_never_runs_backwards_along_the_chain(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.audit.append("", "first", "x")
    past = now() - dt.timedelta(days=400)
    monkeypatch.setattr("bluegold.registry.audit.now", lambda: past)
    registry.audit.append("", "second", "x")
    first, second = registry.audit.events()
    assert second.at >= first.at


def test_details_that_json_has_no_word_for_are_refused(registry: Registry) -> None:
    with pytest.raises(BluegoldError, match="cannot be kept"):
        registry.audit.append("", "looked", "x", details={"it": object()})
    assert registry.audit.events() == ()


WRITER = """
import sys
from pathlib import Path
from bluegold.core.nouns import Lineage
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
name = sys.argv[2]
lineage = Lineage(code=name, data="d", features="f", parameters={}, environment="e", seeds={})
with Registry.open(Workspace.create(Path(sys.argv[1])), actor=name) as registry:
    for number in range(int(sys.argv[3])):
        registry.versions.register("m", {"a.txt": f"{name} {number}".encode()}, lineage, {})
        print("x", flush=True)
"""


def test_processes_that_write_at_once_keep_one_chain(space: Workspace) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(space.root), name, "8"], stdout=subprocess.DEVNULL)
        for name in ("ada", "ben", "cy")
    ]
    assert [child.wait(timeout=120) for child in children] == [0, 0, 0]
    with Registry.open(space, actor="ada") as registry:
        assert {v.version for v in registry.versions.list()} == {f"v{n}" for n in range(1, 25)}
        assert registry.audit.verify() == ChainReport(ok=True, checked=48)


def test_a_killed_writer_leaves_a_chain_that_verifies_and_goes_on(space: Workspace) -> None:
    for attempt in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(space.root), f"p{attempt}", "100000"], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        for _ in range(4):
            assert child.stdout.readline() == b"x\n"
        child.kill()
        child.wait(timeout=30)
        child.stdout.close()
        with Registry.open(space, actor="ada") as registry:
            registry.audit.append("", "went on", "after the crash")
            report = registry.audit.verify()
            assert report.ok, report
            for version in registry.versions.list(limit=1000):
                registry.versions.artefacts(version.ref)


def test_keys_and_head_belong_to_their_owner_only(full: Registry, space: Workspace) -> None:
    assert (space.keys / "signing.key").stat().st_mode & 0o777 == 0o600
    assert (space.keys / "audit.head").stat().st_mode & 0o777 == 0o600
    assert space.keys.stat().st_mode & 0o777 == 0o700
