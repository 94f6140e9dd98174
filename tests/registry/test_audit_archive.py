"""Archived audit rows: the chain holds over files and database, a change in either is named, what is needed stays."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from bluegold.core.errors import IntegrityError, UsageError
from bluegold.core.nouns import ModelVersion, now
from bluegold.core.plan import Hold
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
from bluegold.registry.audit_archive import ARCHIVED
from bluegold.registry.audit_export import export_audit, verify_export
from bluegold.registry.audit_retention import Moved, archive_audit
from bluegold.registry.checkpoints import BLOCK, check_proof
from bluegold.registry.tables import audit_table

pytestmark = pytest.mark.stores("sqlite", "postgresql")

Add = Callable[..., ModelVersion]
SOON = dt.timedelta(days=1)


def looked(registry: Registry, rows: int, subject: str = "nothing") -> None:
    with registry.audit.change() as change:
        for number in range(rows):
            change.append("", "looked", subject, str(number), {})


@pytest.fixture
def long(registry: Registry, add: Add) -> Registry:
    """More than two blocks; v1 is behind production, v2 is production, v3 was refused."""
    for _ in range(2):
        add("Production")
    registry.lifecycle.transition(add().ref, "Refused", "ben", "no")
    registry.audit.append("", "anchor", "decisions/worker-0", "early")
    registry.audit.append("", "anchor", "decisions/worker-0", "late")
    looked(registry, BLOCK, "held:v9")
    looked(registry, BLOCK)
    return registry


def archive(registry: Registry, *holds: Hold) -> Moved:
    return archive_audit(registry.audit, now() + SOON, holds, lasting=("anchor",), who="ada")


def left(registry: Registry) -> list[tuple[str, str, str]]:
    with registry.audit.store.read() as connection:
        query = select(audit_table.c.action, audit_table.c.subject, audit_table.c.outcome)
        return [tuple(row) for row in connection.execute(query.order_by(audit_table.c.number))]


def test_what_is_needed_stays_and_the_rest_leaves_and_everything_verifies(
    long: Registry, space: Workspace, tmp_path: Path
) -> None:
    older = long.audit.checkpoint()  # not at the end of a block
    checked = long.audit.verify().checked
    moved = archive(long)
    assert (moved.first, moved.last, moved.kept + moved.moved) == (1, 2 * BLOCK, 2 * BLOCK)
    stays = left(long)
    assert len(stays) == checked - moved.moved + 1
    subjects = {subject for action, subject, _ in stays[: moved.kept]}
    assert subjects == {"flights:v1", "flights:v2", "decisions/worker-0"}
    assert ("anchor", "decisions/worker-0", "late") in stays
    assert ("anchor", "decisions/worker-0", "early") not in stays
    assert stays[-1][:2] == (ARCHIVED, moved.file)
    report = long.audit.verify()
    assert report.ok, report
    assert report.checked == checked + 1
    assert long.audit.continues(older).number > checked
    for number in (5, 700, BLOCK + 3, 2 * BLOCK + 1):
        check_proof(long.audit.prove(number), long.audit.signer.verifier)
    export_audit(long.audit, tmp_path / "audit.gz")
    assert verify_export(tmp_path / "audit.gz", long.audit.signer.verifier).ok
    with Registry.open(space) as again:
        again.lifecycle.transition("flights:v3", "Staging", "ada", "another try")
        assert again.audit.verify().ok
    looked(long, BLOCK)
    second = archive(long)
    assert second.first == moved.last + 1
    assert long.audit.verify().ok


def test_a_hold_keeps_its_days_and_its_model(long: Registry) -> None:
    today = now().date()
    archive(long, Hold(since=today, model="held", reason="a suit"), Hold(since=today + 9 * SOON, reason="later"))
    assert [subject for _, subject, _ in left(long)].count("held:v9") == BLOCK
    assert long.audit.verify().ok


def test_every_change_in_the_file_or_beside_it_is_named(long: Registry, space: Workspace) -> None:
    moved = archive(long)
    path = space.root / "audit" / moved.file
    whole = path.read_bytes()
    lines = gzip.decompress(whole).splitlines(keepends=True)
    spoiled = {
        "audit row 30": [*lines[:29], lines[29].replace(b"looked", b"forgot"), *lines[30:]],
        "audit row 40": [*lines[:39], *lines[40:]],
        f"audit row {moved.last}": [*lines[:-2], lines[-1]],
        f"file {moved.file}": [*lines[:-1], lines[-1].replace(b"bluegold", b"bluegolf")],
    }
    for name, rows in spoiled.items():
        path.write_bytes(gzip.compress(b"".join(rows)))
        report = long.audit.verify()
        assert report.first_bad == name, report
    path.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    assert not long.audit.verify().ok
    path.unlink()
    assert long.audit.verify().first_bad == f"file {moved.file}"
    path.write_bytes(whole)
    with long.audit.store.write() as connection:
        first = connection.execute(select(func.min(audit_table.c.number))).scalar_one()
        connection.execute(update(audit_table).where(audit_table.c.number == first).values(who="eve"))
    assert long.audit.verify().first_bad == f"audit row {first}"


def test_a_run_that_was_killed_before_it_removed_anything_is_done_again(long: Registry, space: Workspace) -> None:
    (space.root / "audit").mkdir()
    with long.audit.store.read() as connection:
        query = select(audit_table).where(audit_table.c.number <= BLOCK).order_by(audit_table.c.number)
        left_over = long.audit.archive.write(connection.execute(query), 1, BLOCK, long.audit.signer)
    assert long.audit.verify().ok
    moved = archive(long)
    assert (moved.first, moved.last) == (1, 2 * BLOCK)
    assert not left_over.exists()
    assert long.audit.verify().ok


def test_nothing_leaves_that_is_young_or_does_not_verify(long: Registry, space: Workspace) -> None:
    with pytest.raises(UsageError, match="no whole block"):
        archive_audit(long.audit, now() - SOON)
    with long.audit.store.write() as connection:
        connection.execute(update(audit_table).where(audit_table.c.number == 5).values(who="eve"))
    with pytest.raises(IntegrityError, match="audit row 5"):
        archive(long)
    assert not list((space.root / "audit").glob("*"))
