"""Nobody approves their own work, and a governed version waits for people."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from bluegold.core.errors import AccessDenied, DefinitionError, ForbiddenTransition, IntegrityError
from bluegold.core.nouns import ModelVersion
from bluegold.core.plan import Governance, Plan
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
from bluegold.registry.tables import APPROVALS

Add = Callable[..., ModelVersion]


def plan(approvals: int, *, regulated: bool = True) -> bytes:
    governance = Governance(approval="human", approvals=approvals)
    return msgspec.json.encode(Plan(system="flights", regulated=regulated, governance=governance))


@pytest.mark.parametrize("author", ["ada", " ADA ", "automatic", "automatic:watch"])
def test_the_author_and_machines_cannot_approve(registry: Registry, add: Add, author: str) -> None:
    add()
    with pytest.raises(AccessDenied, match="cannot approve"):
        registry.approvals.approve("v1", author, "fine by me")
    assert registry.approvals.list("v1") == ()


def test_an_approval_is_kept_once_and_bound_to_the_digest(registry: Registry, add: Add) -> None:
    version = add()
    first = registry.approvals.approve("v1", "ben", "read it")
    assert registry.approvals.approve("v1", "ben", "again") == first
    assert (first.ref, first.digest, first.comment) == (version.ref, version.digest, "read it")
    registry.approvals.approve("v1", "cy")
    assert [a.actor for a in registry.approvals.list("v1")] == ["ben", "cy"]


def test_a_governed_version_waits_for_enough_people_and_a_person_promotes_it(registry: Registry, add: Add) -> None:
    version = add("Canary", plan_json=plan(2))
    assert registry.approvals.needed(version.ref) == 2
    for done, who in enumerate(["ben", "cy"]):
        with pytest.raises(ForbiddenTransition, match=f"has {done}"):
            registry.promote(version.ref, "ada")
        with pytest.raises(ForbiddenTransition, match="2 approval"):
            registry.lifecycle.transition(version.ref, "Production", "ada")
        registry.approvals.approve(version.ref, who)
    with pytest.raises(AccessDenied, match="asks for a person"):
        registry.promote(version.ref, "automatic")
    assert registry.promote(version.ref, "ada").blue == version.ref


def test_an_automatic_plan_needs_nobody(registry: Registry, add: Add) -> None:
    version = add("Canary", plan_json=msgspec.json.encode(Plan(system="flights")))
    assert registry.approvals.needed(version.ref) == 0
    assert registry.promote(version.ref, "automatic").blue == version.ref


def test_a_regulated_plan_cannot_be_automatic(registry: Registry, add: Add) -> None:
    version = add("Canary", plan_json=b'{"regulated": true, "governance": {"approval": "automatic"}}')
    assert registry.approvals.needed(version.ref) == 1


def test_going_back_needs_no_new_approval(registry: Registry, add: Add) -> None:
    for _ in range(2):
        version = add("Canary", plan_json=plan(1))
        registry.approvals.approve(version.ref, "ben")
        registry.promote(version.ref, "ada")
    assert registry.restore("flights", to="v1", actor="automatic", reason="worse").blue == "flights:v1"


def test_a_plan_that_is_none_stops_the_promotion(registry: Registry, add: Add) -> None:
    version = add("Canary", plan_json=b'{"governance": 7}')
    with pytest.raises(DefinitionError, match="does not say who may promote"):
        registry.promote(version.ref)


def test_what_does_not_verify_cannot_be_approved_or_promoted(registry: Registry, add: Add, space: Workspace) -> None:
    version = add("Canary", model_txt=b"tree\n")
    (space.objects / version.artefacts["model.txt"][:2] / version.artefacts["model.txt"]).write_bytes(b"TREE\n")
    with pytest.raises(IntegrityError, match=r"model\.txt"):
        registry.promote(version.ref)
    assert registry.versions.get(version.ref).stage == "Canary"


def test_roles_are_read_from_the_workspace_and_enforced(space: Workspace) -> None:
    (space.root / "access.json").write_text('{"ada": ["developer"], "ben": ["validator"], "dan": ["operator"]}')
    with Registry.open(space, actor="ada") as registry:
        lineage = _lineage()
        with pytest.raises(AccessDenied, match="may not register"):
            registry.versions.register("m", {"a.txt": b"a"}, lineage, {}, author="ben")
        version = registry.versions.register("m", {"a.txt": b"a"}, lineage, {})
        with pytest.raises(AccessDenied, match="may not approve"):
            registry.approvals.approve(version.ref, "dan")
        with pytest.raises(AccessDenied, match="may not move"):
            registry.lifecycle.transition(version.ref, "Staging")
        with pytest.raises(AccessDenied, match="unknown"):
            registry.lifecycle.transition(version.ref, "Staging", "unknown")
        registry.lifecycle.transition(version.ref, "Staging", "dan")
        registry.approvals.approve(version.ref, "ben")
    (space.root / "access.json").write_text('{"ada": ["king"]}')
    with pytest.raises(DefinitionError, match=r"access\.json"):
        Registry.open(space, actor="ada")


def _lineage() -> object:
    from bluegold.core.nouns import Lineage

    return Lineage(code="c", data="d", features="f", parameters={}, environment="e", seeds={})


def test_a_consent_replayed_for_another_version_does_not_count(registry: Registry, add: Add) -> None:
    """Neither the consent to v1 under the name of v2, nor a digest that is not its own; nor a row that nobody wrote."""
    add(plan_json=plan(1))
    given = registry.approvals.approve("v1", "ben")
    gold = add("Canary", plan_json=plan(1), more_txt=b"another digest")
    replayed = msgspec.structs.replace(given, ref=gold.ref)
    with registry.audit.change("ben") as change:
        change.keep(APPROVALS, replayed, ("ben", "approve", gold.ref, given.digest))
    assert registry.approvals.list(gold.ref) == (replayed,)
    with pytest.raises(ForbiddenTransition, match="has 0"):
        registry.promote(gold.ref, "ada")
    body = msgspec.json.encode(msgspec.structs.replace(replayed, actor="cy", digest=gold.digest)).decode()
    with registry.audit.store.write() as connection:
        columns = APPROVALS.columns(msgspec.structs.replace(replayed, actor="cy"))
        connection.execute(APPROVALS.table.insert(), {**columns, "body": body, "audit": 999})
    report = registry.audit.verify()
    assert (report.ok, report.first_bad) == (False, "approvals row 3")


def test_people_who_approve_at_once_count_once_each(registry: Registry, add: Add) -> None:
    gold = add("Canary", plan_json=plan(4))
    people = ["ben", "cy", "dee", "eve"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda who: registry.approvals.approve(gold.ref, who), people * 3))
    assert sorted(one.actor for one in registry.approvals.list(gold.ref)) == people
    assert registry.approvals.standing(gold.ref).missing == ""
    assert registry.audit.verify().ok
