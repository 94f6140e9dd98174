"""The registry's laws on a real PostgreSQL server, started here from an installed package."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import msgspec
import pytest
from sqlalchemy import delete, update

from bluegold.core.errors import AccessDenied, ForbiddenTransition, IntegrityError, StoreError
from bluegold.core.nouns import ModelVersion
from bluegold.core.plan import Governance, Plan
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
from bluegold.registry.search import parse
from bluegold.registry.tables import audit_head_table, audit_table, metadata

pytestmark = pytest.mark.stores("postgresql")

Add = Callable[..., ModelVersion]

WRITER = """
import sys
from pathlib import Path
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
with Registry.open(Workspace(Path(sys.argv[1])), actor=sys.argv[2]) as registry:
    for number in range(20):
        registry.audit.append("", "wrote", str(number))
"""


def plan(**governance: object) -> bytes:
    human = Governance(approval="human", **governance)  # type: ignore[arg-type] - the keywords are the test's own
    return msgspec.json.encode(Plan(system="flights", regulated=True, governance=human))


def test_a_release_from_registration_to_production_and_back(registry: Registry, add: Add) -> None:
    add("Production")
    gold = add("Canary", plan_json=plan(approvals=2))
    with pytest.raises(ForbiddenTransition, match="asks for 2"):
        registry.promote(gold.ref)
    for person in ("ben", "cy"):
        registry.approvals.approve(gold.ref, person)
    with pytest.raises(AccessDenied, match="asks for a person"):
        registry.promote(gold.ref, "automatic")
    assert registry.promote(gold.ref).blue == "flights:v2"
    found = registry.lifecycle.production("flights")
    assert found is not None
    assert found.ref == "flights:v2"
    assert {v.ref: v.stage for v in registry.versions.list()} == {"flights:v1": "Archived", "flights:v2": "Production"}
    assert registry.restore("flights", to="v1").blue == "flights:v1"
    assert [v.ref for v in registry.versions.search(parse(["auc>=0.9", "stage:rolledback", "run-1"]))] == [gold.ref]
    assert registry.lineage.up(gold.ref)
    assert registry.audit.verify().ok


def test_processes_that_write_at_once_keep_one_chain(registry: Registry, space: Workspace) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(space.root), name]) for name in ("one", "two")]
    assert [process.wait(60) for process in writers] == [0, 0]
    events = registry.audit.events()
    assert [event.number for event in events] == list(range(1, 41))
    assert {event.who for event in events} == {"one", "two"}
    assert registry.audit.verify().ok


def test_what_is_changed_or_cut_is_found_and_never_continued(registry: Registry, add: Add) -> None:
    add("Production")
    last = registry.audit.checkpoint().number
    with registry.audit.store.write() as connection:
        connection.execute(update(metadata.tables["versions"]).values(author="eve"))
    assert registry.audit.verify().first_bad == "versions row 1"
    with registry.audit.store.write() as connection:
        connection.execute(update(metadata.tables["versions"]).values(author="ada"))
        connection.execute(delete(audit_table).where(audit_table.c.number == last))
    assert registry.audit.verify().first_bad == f"audit row {last}"
    with registry.audit.store.write() as connection:
        connection.execute(update(audit_head_table).values(number=last - 1))
    with pytest.raises(IntegrityError, match="nothing is added to it"):
        registry.audit.append("eve", "looked", "away")


def test_two_registrations_at_once_do_not_share_a_number(registry: Registry, add: Add) -> None:
    assert [add().version for _ in range(3)] == ["v1", "v2", "v3"]


def test_an_error_whose_answer_comes_late_undoes_the_whole_change(registry: Registry, add: Add) -> None:
    add("Staging")
    before = registry.audit.events()

    def twice() -> None:
        with registry.audit.change() as change:
            change.append("", "looked", "flights", "once", {})
            change.number -= 1
            change.append("", "looked", "flights", "under the same number", {})

    for _ in range(20):
        with pytest.raises(StoreError, match="duplicate key"):
            twice()
    assert registry.audit.events() == before
    assert registry.lifecycle.transition("v1", "Canary").to_stage == "Canary"
    assert registry.audit.verify().ok
