"""Releases and gate reports are kept step by step; two controllers cannot both act."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bluegold.core.errors import ForbiddenTransition, RegistryError, UnknownVersion
from bluegold.core.nouns import GateReport, Measure, ModelVersion, now
from bluegold.registry import Registry
from bluegold.registry.releases import CLOSED

pytestmark = pytest.mark.stores("sqlite", "postgresql")

Add = Callable[..., ModelVersion]


def report(ref: str, gate: str, verdict: str) -> GateReport:
    measure = Measure(name="accuracy", value=0.9, limit=0.88, n=100, verdict="pass")
    return GateReport(
        gate=gate,
        candidate=ref,
        verdict=verdict,  # type: ignore[arg-type] # given by the parametrised caller
        measures=(measure,),
        reason="measured",
        seconds=0.5,
        at=now(),
    )


def test_every_gate_report_is_kept_and_the_last_one_counts(registry: Registry, add: Add) -> None:
    add()
    registry.gates.record(report("v1", "gate_1_model", "hold"))
    registry.gates.record(report("v1", "gate_1_model", "pass"))
    registry.gates.record(report("flights:v1", "gate_2_feature", "fail"))
    assert [(r.gate, r.verdict) for r in registry.gates.reports("v1")] == [
        ("gate_1_model", "hold"),
        ("gate_1_model", "pass"),
        ("gate_2_feature", "fail"),
    ]
    latest = registry.gates.latest("flights:v1")
    assert {gate: r.verdict for gate, r in latest.items()} == {"gate_1_model": "pass", "gate_2_feature": "fail"}
    assert latest["gate_1_model"].candidate == "flights:v1"
    assert latest["gate_1_model"].measures[0].value == 0.9
    with pytest.raises(UnknownVersion):
        registry.gates.record(report("v9", "gate_1_model", "pass"))


def test_a_release_is_opened_once_and_advanced_step_by_step(registry: Registry, add: Add) -> None:
    add("Staging")
    release = registry.releases.open("v1", "ben", {"plan": "fast"})
    assert registry.releases.open("v1", "cy") == release
    assert (release.id, release.ref, release.phase, release.actor) == ("r1", "flights:v1", "candidate", "ben")
    registry.releases.advance("r1", "gates")
    moved = registry.releases.advance("r1", "canary", {"share": 0.05}, expected="gates")
    assert registry.releases.get("v1") == registry.releases.get("r1") == registry.releases.active("flights") == moved
    assert moved.opened_at == release.opened_at <= moved.updated_at
    assert [(s.phase, s.detail) for s in registry.releases.steps("r1")] == [
        ("candidate", {"plan": "fast"}),
        ("gates", {}),
        ("canary", {"share": 0.05}),
    ]


def test_two_controllers_cannot_both_move_a_release(registry: Registry, add: Add) -> None:
    add("Staging")
    registry.releases.open("v1")
    registry.releases.advance("r1", "gates", expected="candidate")
    with pytest.raises(RegistryError, match="in phase 'gates', not 'candidate'"):
        registry.releases.advance("r1", "rehearsal", expected="candidate")
    with pytest.raises(RegistryError, match="no release 'r2'"):
        registry.releases.advance("r2", "gates")


def test_one_release_of_a_model_at_a_time(registry: Registry, add: Add) -> None:
    add("Staging")
    add("Staging")
    add("Staging", model="income")
    registry.releases.open("flights:v1")
    registry.releases.open("income:v1")
    with pytest.raises(RegistryError, match="release r1 of flights:v1"):
        registry.releases.open("flights:v2")
    registry.releases.advance("r1", "refused", {"gate": "gate_1_model"})
    assert registry.releases.active("flights") is None
    assert registry.releases.open("flights:v2").id == "r3"
    assert [r.id for r in registry.releases.list("flights")] == ["r3", "r1"]
    assert [r.id for r in registry.releases.list(limit=2)] == ["r3", "r1"]


@pytest.mark.parametrize("phase", sorted(CLOSED))
def test_an_ended_release_stays_ended_and_a_new_one_may_be_opened(registry: Registry, add: Add, phase: str) -> None:
    add("Staging")
    registry.releases.open("v1")
    registry.releases.advance("r1", phase)
    with pytest.raises(ForbiddenTransition, match="has ended"):
        registry.releases.advance("r1", "gates")
    assert registry.releases.open("v1").id == "r2"
    assert registry.releases.get("v1").id == "r2"  # type: ignore[union-attr] # just opened
    assert registry.releases.get("r1").phase == phase  # type: ignore[union-attr] # just closed
