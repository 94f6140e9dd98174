"""Coordinated release: all or none, also when the controller dies in between."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bluegold.core.errors import AccessDenied, DeliveryError, ForbiddenTransition
from bluegold.core.nouns import GateReport, Lineage, now
from bluegold.core.plan import Plan
from bluegold.core.workspace import Workspace
from bluegold.delivery.controller import deliver
from bluegold.delivery.gating import GATES
from bluegold.delivery.journal import Journal
from bluegold.delivery.rollback import rollback
from bluegold.delivery.together import promote_together
from bluegold.registry import Registry

MODELS = ("prices", "stock")
REFS = tuple(f"{model}:v2" for model in MODELS)


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "w")


@pytest.fixture
def pair(space: Workspace) -> Iterator[Registry]:
    """Two models, each with a Blue and a candidate whose release waits for a person after its rollout."""
    with Registry.open(space, actor="olga") as registry:
        for model in MODELS:
            for number in range(2):
                lineage = Lineage(
                    code="c", data=f"d{number}", features="f", parameters={}, environment="e", seeds={"s": 1}
                )
                files = {"plan.json": msgspec.json.encode(Plan(system=model)), "decision.json": b'{"canaries": 0}'}
                registry.versions.register(model, files, lineage, {}, author="ada")
            for stage in ("Staging", "Canary"):
                registry.lifecycle.transition(f"{model}:v1", stage)
            registry.promote(f"{model}:v1")
            waits(registry, model)
        yield registry


def waits(registry: Registry, model: str) -> None:
    ref = f"{model}:v2"
    registry.lifecycle.transition(ref, "Staging")
    for gate in GATES:
        registry.gates.record(
            GateReport(gate=gate, candidate=ref, verdict="pass", measures=(), reason="", seconds=0.0, at=now())
        )
    journal = Journal(registry, registry.releases.open(ref), "olga")
    journal.advance("gates", "t", blue=f"{model}:v1")
    journal.advance("rehearsal", "t", gates=dict.fromkeys(GATES, "pass"))
    journal.advance("shadow", "t", rehearsal={"ok": True})
    journal.advance("paused", "t")


def production(registry: Registry) -> list[str]:
    return sorted(version.ref for version in registry.versions.list(stage="Production"))


@pytest.fixture(autouse=True)
def _no_known_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """These versions carry no model, so there is nothing to ask before the transaction."""
    monkeypatch.setattr("bluegold.delivery.promotion._wrong_answers", lambda *_: "")


def test_both_become_production_in_one_step(pair: Registry, space: Workspace) -> None:
    with pytest.raises(AccessDenied):
        promote_together(REFS, pair, space, actor="automatic")
    releases = promote_together(REFS, pair, space, actor="olga", reason="they share a unit")
    assert [release.phase for release in releases] == ["promoted", "promoted"]
    assert production(pair) == ["prices:v2", "stock:v2"]
    assert pair.audit.verify().ok


def test_one_that_may_not_stops_all_and_nothing_changes(pair: Registry, space: Workspace) -> None:
    pair.gates.record(
        GateReport(gate="1 model", candidate="stock:v2", verdict="fail", measures=(), reason="", seconds=0.0, at=now())
    )
    with pytest.raises(ForbiddenTransition, match="six gates"):
        promote_together(REFS, pair, space, actor="olga")
    assert production(pair) == ["prices:v1", "stock:v1"]
    assert {pair.releases.active(model).phase for model in MODELS} == {"paused"}


def test_one_that_cannot_be_promoted_takes_all_back(
    pair: Registry, space: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof on the server fails for the second: the first must not stay alone in production."""
    monkeypatch.setattr(
        "bluegold.delivery.promotion._wrong_answers",
        lambda candidate, _: "one answer differs" if candidate.ref == "stock:v2" else "",
    )
    releases = promote_together(REFS, pair, space, actor="olga")
    assert {release.phase for release in releases} == {"rolled_back"}
    assert production(pair) == ["prices:v1", "stock:v1"]


class Killed(BaseException):
    """The controller is gone between two of its writes."""


def kill_at(registry: Registry, monkeypatch: pytest.MonkeyPatch, write: int) -> None:
    """Die before the transaction with that number; what stands before it is written."""
    change, done = registry.audit.change, [0]

    def counted(*args: Any, **options: Any) -> Any:
        done[0] += 1
        if done[0] == write:
            raise Killed
        return change(*args, **options)

    monkeypatch.setattr(registry.audit, "change", counted)


def goes_on(ref: str, registry: Registry, space: Workspace) -> None:
    """A controller takes up a release that is still open."""
    if registry.releases.active(ref.rpartition(":")[0]) is not None:
        with contextlib.suppress(DeliveryError):  # no server runs for a release that had only begun
            deliver(ref, registry, space)


def walk(registry: Registry, space: Workspace, write: int, first: int) -> bool:
    """Promote, die before that write, and again before the third of the controller that goes on; then both end.

    Returns:
        whether there was such a write.
    """
    died = False
    with pytest.MonkeyPatch.context() as dying:
        kill_at(registry, dying, write)
        try:
            promote_together(REFS, registry, space, actor="olga")
        except Killed:
            died = True
            with contextlib.suppress(Killed):
                kill_at(registry, dying, 3)
                goes_on(REFS[first], registry, space)
    for ref in (REFS[first], REFS[1 - first]):
        goes_on(ref, registry, space)
    return died


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("wrong", ["", "stock:v2"])
def test_killed_before_any_write_it_is_all_or_none(
    pair: Registry, space: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str, first: int
) -> None:
    monkeypatch.setattr("bluegold.delivery.promotion._wrong_answers", lambda c, _: "differs" if c.ref == wrong else "")
    ends = set()
    for write in range(1, 40):
        again = Workspace.open(Path(shutil.copytree(space.root, tmp_path / f"again-{write}")))
        with Registry.open(again, actor="olga") as registry:
            died = walk(registry, again, write, first)
            found = production(registry)
            assert found in (["prices:v1", "stock:v1"], ["prices:v2", "stock:v2"]), (write, found)
            assert not wrong or found == ["prices:v1", "stock:v1"], write
            assert registry.audit.verify().ok
        ends.add(tuple(found))
        if not died:
            break
    else:
        raise AssertionError("more writes than were looked at")
    assert len(ends) == (1 if wrong else 2)


def test_a_controller_that_died_before_the_transaction_leaves_none(pair: Registry, space: Workspace) -> None:
    for model in MODELS:
        journal = Journal(pair, pair.releases.active(model), "olga")
        journal.advance("promoting", "t", together=list(REFS))
    assert deliver(REFS[0], pair, space).phase == "rolled_back"
    assert [pair.versions.get(ref).stage for ref in REFS] == ["RolledBack", "RolledBack"]
    assert production(pair) == ["prices:v1", "stock:v1"]


def test_a_person_who_takes_one_back_takes_all_back(pair: Registry, space: Workspace, tmp_path: Path) -> None:
    """Whatever was written of the promotion: who orders one of them back leaves none of them alone in production."""
    taken = 0
    for write in range(1, 40):
        again = Workspace.open(Path(shutil.copytree(space.root, tmp_path / f"again-{write}")))
        with Registry.open(again, actor="olga") as registry:
            with pytest.MonkeyPatch.context() as dying, contextlib.suppress(Killed):
                kill_at(registry, dying, write)
                promote_together(REFS, registry, again, actor="olga")
            release = registry.releases.active("stock")
            if release is None:  # carried out: a rollback from now on is a choice of its own
                break
            if release.phase == "promoting":
                assert rollback("stock", registry, again, actor="olga", reason="by hand").production == "stock:v1"
                taken += 1
                assert production(registry) == ["prices:v1", "stock:v1"], write
                assert "promoting" not in {one.phase for one in registry.releases.list()}
                assert registry.audit.verify().ok
    else:
        raise AssertionError("more writes than were looked at")
    assert taken > 2
