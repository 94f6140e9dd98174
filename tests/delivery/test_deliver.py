"""Whole deliveries with real workers and real traffic."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from bluegold.core.errors import AccessDenied, DeliveryError, RegistryError, UsageError
from bluegold.core.workspace import Workspace
from bluegold.delivery.controller import deliver
from bluegold.delivery.events import DeliveryEvent
from bluegold.delivery.promote import promote
from bluegold.delivery.rollback import rollback
from bluegold.production.operations.processes import Endpoint
from bluegold.registry import Registry

from .conftest import MODEL, Traffic

Make = Callable[..., Traffic]


def phases(release: object) -> list[str]:
    return [step["phase"] for step in release.detail["steps"]]  # type: ignore[attr-defined] - a release


def test_a_first_version_is_promoted_after_six_gates(workspace: Workspace, registry: Registry) -> None:
    release = deliver("v1", registry, workspace)
    assert release.phase == "promoted"
    assert phases(release) == ["gates", "promoting", "promoted"]
    assert {report.verdict for report in registry.gates.reports("v1")} == {"pass"}
    assert len(registry.gates.latest("v1")) == 6
    assert registry.traffic.current(MODEL).blue == "pumps:v1"
    with pytest.raises(UsageError, match="Production already"):
        deliver("v1", registry, workspace)


def test_a_hopeless_version_is_refused_with_its_numbers(workspace: Workspace, registry: Registry) -> None:
    release = deliver("v4", registry, workspace)
    assert release.phase == "refused"
    assert registry.versions.get("v4").stage == "Refused"
    assert release.detail["gate"] == "1 model"
    assert release.detail["measures"]["1 model"]["AP-7 model accuracy"] < 0.7
    assert registry.gates.latest("v4")["4 performance"].verdict == "hold"
    assert registry.traffic.current(MODEL) is None


def test_gold_becomes_blue_under_traffic(
    workspace: Workspace, registry: Registry, server: Endpoint, traffic: Make
) -> None:
    events: list[DeliveryEvent] = []
    with traffic() as live:
        release = deliver("v2", registry, workspace, on_event=events.append)
    assert release.phase == "promoted"
    assert phases(release) == ["gates", "rehearsal", "shadow", "canary", "shift", "promoting", "promoted"]
    assert live.failed == []
    assert registry.versions.get("v1").stage == "Archived"
    split = registry.traffic.current(MODEL)
    assert (split.blue, split.gold, split.mode) == ("pumps:v2", "", "off")
    modes = [(one.mode, one.gold_share) for one in registry.traffic.history(MODEL)]
    assert modes[1:] == [
        ("rehearsal", 0.0),
        ("off", 0.0),
        ("shadow", 0.0),
        ("canary", 0.2),
        ("shift", 1.0),
        ("off", 0.0),
    ]
    assert {answer["version"] for answer in live.answers} == {"v1", "v2"}
    assert live.answers[-1]["version"] == "v2"
    assert registry.audit.verify().ok
    rehearsal = release.detail["rehearsal"]
    assert rehearsal["ok"]
    assert rehearsal["workers"] == 2
    assert any(event.level == "step" and event.phase == "canary" for event in events)


def test_a_degraded_version_is_taken_back_on_quality(
    workspace: Workspace, registry: Registry, server: Endpoint, traffic: Make
) -> None:
    with traffic(hot=True) as live:
        release = deliver("v3", registry, workspace)
    assert release.phase == "rolled_back"
    assert "quality" in release.detail["reason"] or "agreement" in release.detail["reason"]
    assert release.detail["seconds"] > 0.0
    assert release.detail["proof"] == "every worker serves it"
    assert live.failed == []
    assert registry.versions.get("v3").stage == "RolledBack"
    split = registry.traffic.current(MODEL)
    assert (split.blue, split.gold, split.mode) == ("pumps:v1", "", "off")
    loud = [event for event in registry.audit.events(limit=1000) if event.action == "rollback"]
    assert [event.subject for event in loud] == ["pumps:v3"]
    assert loud[0].details["reason"] == release.detail["reason"]
    assert loud[0].details["measures"]


def test_missing_outcomes_pause_and_a_person_decides(
    workspace: Workspace, registry: Registry, server: Endpoint, traffic: Make
) -> None:
    """Labels never come: hold, then pause for a person; never a pass, never a rollback."""
    plan = registry_plan(registry, max_wait_s=1.0)
    with traffic(labels=False) as live:
        release = deliver("v2", registry, workspace, plan)
        assert release.phase == "paused"
        assert "outcomes reported" in release.detail["reason"]
        split = registry.traffic.current(MODEL)
        assert (split.blue, split.gold, split.mode) == ("pumps:v1", "", "off")
        with pytest.raises(AccessDenied):
            promote("v2", registry, workspace, actor="automatic")
        release = promote("v2", registry, workspace, actor="olga", reason="labels take a month")
    assert release.phase == "promoted"
    assert live.failed == []
    assert registry.traffic.current(MODEL).blue == "pumps:v2"


def registry_plan(registry: Registry, **rollout: float) -> object:
    import msgspec

    from bluegold.core.plan import Plan
    from bluegold.delivery.candidate import Subject

    plan = Subject(registry, registry.versions.get("v2")).facts("plan.json", Plan)
    return msgspec.structs.replace(plan, rollout=msgspec.structs.replace(plan.rollout, **rollout))


def test_a_person_takes_a_canary_back_while_the_controller_watches(
    workspace: Workspace, registry: Registry, server: Endpoint, traffic: Make
) -> None:
    plan = registry_plan(registry, hold_s=30.0)
    in_canary = threading.Event()
    found: list[object] = []

    def run() -> None:
        with Registry.open(workspace, actor="olga") as mine:
            found.append(deliver("v2", mine, workspace, plan, on_event=told))

    def told(event: DeliveryEvent) -> None:
        if event.phase == "canary":
            in_canary.set()

    with traffic():
        thread = threading.Thread(target=run)
        thread.start()
        assert in_canary.wait(30)
        with pytest.raises(DeliveryError, match="another controller"):
            deliver("v2", registry, workspace)
        with pytest.raises(RegistryError, match="cannot be released now"):
            registry.releases.open("v3")
        done = rollback(MODEL, registry, workspace, actor="ben", reason="complaints came in")
        thread.join(20)
    assert done.taken_back == "pumps:v2"
    assert done.production == "pumps:v1"
    assert found[0].phase == "rolled_back"  # type: ignore[attr-defined] - a release
    assert found[0].detail["rolled_back_by"] == "ben"  # type: ignore[attr-defined] - a release
    assert registry.versions.get("v2").stage == "RolledBack"
    assert registry.lifecycle.production(MODEL).ref == "pumps:v1"


def test_no_server_is_said_and_the_release_goes_on_later(
    workspace: Workspace, registry: Registry, blue: object
) -> None:
    with pytest.raises(DeliveryError, match="bluegold up"):
        deliver("v2", registry, workspace)
    assert registry.releases.active(MODEL).phase == "rehearsal"
    assert registry.traffic.current(MODEL).blue == "pumps:v1"
