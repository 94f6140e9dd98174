"""Random walks over the release table with a real registry: the laws hold after every step, whatever is tried."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import GateReport, Lineage, now
from bluegold.core.workspace import Workspace
from bluegold.delivery.gating import GATES
from bluegold.delivery.journal import Journal
from bluegold.delivery.release import CLOSED, PHASES, TRAFFIC, USERS, following
from bluegold.delivery.rollback import rollback
from bluegold.delivery.safety import complete_rollback, decide_rollback
from bluegold.delivery.steering import Steering
from bluegold.registry import Registry

MODEL = "m"
REACHED: set[str] = set()
HUMAN = msgspec.json.encode({"regulated": True, "governance": {"approval": "human", "approvals": 1}})


class Walk(RuleBasedStateMachine):
    """Anybody may try any step at any time, with true or false gate reports, approvals and actors."""

    @initialize(human=st.booleans(), cold=st.sampled_from([True, False, False]))
    def begin(self, human: bool, cold: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.space = Workspace.create(Path(self.folder.name) / "w")
        self.registry = Registry.open(self.space, actor="olga")
        self.human = human
        self.approved = False
        for number in range(2):
            lineage = Lineage(code="c", data=f"d{number}", features="f", parameters={}, environment="e", seeds={"s": 1})
            files = {"notes.txt": b"v%d" % number, **({"plan.json": HUMAN} if human and number else {})}
            self.registry.versions.register(MODEL, files, lineage, {}, author="ada")
        if not cold:
            for stage in ("Staging", "Canary"):
                self.registry.lifecycle.transition("m:v1", stage)
            self.registry.promote("m:v1")
        self.registry.lifecycle.transition("m:v2", "Staging")
        self.registry.releases.open("m:v2")
        self.was_promoted = False

    def journal(self, actor: str) -> Journal | None:
        release = self.registry.releases.active(MODEL)
        return Journal(self.registry, release, actor) if release else None

    @rule(
        place=st.integers(0, 9), actor=st.sampled_from(["olga", "automatic"]), good=st.sampled_from([True, True, False])
    )
    def go_on(self, place: int, actor: str, good: bool) -> None:
        """A step that the table may allow."""
        release = self.registry.releases.active(MODEL)
        if release is not None:
            ahead = following(release.phase)  # type: ignore[arg-type] - a phase as the registry keeps it
            ahead = [one for one in ahead if one not in {"refused", "held", "rolling_back"}] or list(ahead)
            if good and release.phase == "gates":
                self.all_gates_pass()
            self.try_a_step(ahead[place % len(ahead)], actor, good)

    @rule(steps=st.integers(1, 6))
    def go_straight(self, steps: int) -> None:
        """Several steps of the straight way, as far as they are allowed."""
        for _ in range(steps):
            self.go_on(0, "olga", good=True)

    @rule(phase=st.sampled_from(PHASES), actor=st.sampled_from(["olga", "automatic"]), good=st.booleans())
    def jump(self, phase: str, actor: str, good: bool) -> None:
        """A step that nobody should take."""
        self.try_a_step(phase, actor, good)

    def try_a_step(self, target: str, actor: str, good: bool) -> None:
        journal = self.journal(actor)
        if journal is None or target in {"rolled_back", "promoted", "rolling_back"}:
            return
        detail: dict[str, object] = {}
        if target == "gates":
            detail = {"blue": journal.production(), "gates": {}}
        elif good:
            detail = {"gates": dict.fromkeys(GATES, "pass"), "rehearsal": {"ok": True}}
        try:
            journal.advance(target, "tried", **detail)  # type: ignore[arg-type] - any phase and detail may be tried
        except BluegoldError:
            return
        REACHED.add(journal.phase)
        self.steer(journal)

    def steer(self, journal: Journal) -> None:
        steering = Steering(self.registry, self.space, MODEL, "olga")
        mode = TRAFFIC.get(journal.phase)
        if mode is not None:
            if journal.phase in USERS and self.registry.versions.get("m:v2").stage == "Staging":
                self.registry.lifecycle.transition("m:v2", "Canary")
            share = {"canary": 0.1, "shift": 1.0}.get(journal.phase, 0.0)
            steering.set(journal.blue, "m:v2", mode, share, reason="walk", sticky_by="")
        elif journal.phase == "promoting":
            if self.registry.versions.get("m:v2").stage == "Staging":
                self.registry.lifecycle.transition("m:v2", "Canary")
            self.registry.promote("m:v2", actor=journal.actor)
            journal.advance("promoted", "walk")
            self.was_promoted = True
        elif journal.blue:
            steering.set(journal.blue, "", "off", 0.0, reason="walk", sticky_by="")

    @rule(gate=st.sampled_from(sorted(GATES)), verdict=st.sampled_from(["pass", "hold", "fail"]))
    def report(self, gate: str, verdict: str) -> None:
        report = GateReport(
            gate=gate, candidate="m:v2", verdict=verdict, measures=(), reason="walk", seconds=0.0, at=now()
        )
        self.registry.gates.record(report)

    @rule()
    def all_gates_pass(self) -> None:
        for gate in GATES:
            self.report(gate, "pass")

    @precondition(lambda self: self.human)
    @rule(actor=st.sampled_from(["ada", "ben", "automatic"]))
    def approve(self, actor: str) -> None:
        try:
            self.registry.approvals.approve("m:v2", actor=actor)
        except BluegoldError:
            assert actor in {"ada", "automatic"}
            return
        assert actor == "ben"
        self.approved = True

    @rule(by_hand=st.booleans(), sure=st.sampled_from([True, False, False, False]))
    def go_to_safety(self, by_hand: bool, sure: bool) -> None:
        """From everywhere in the traffic, safety is reached; elsewhere nothing is broken by asking."""
        release = self.registry.releases.active(MODEL)
        touching = release is not None and release.phase in {*TRAFFIC, "paused", "waiting_for_approval"}
        if not touching or not sure:
            return
        journal = Journal(self.registry, release, "olga" if by_hand else "automatic")
        if by_hand and release.phase in TRAFFIC:
            rollback(MODEL, self.registry, self.space, reason="walk")
        else:
            decide_rollback(journal, "walk")
            complete_rollback(journal, Steering(self.registry, self.space, MODEL, "olga"))
        assert self.registry.releases.get("m:v2").phase == "rolled_back"
        assert self.registry.versions.get("m:v2").stage == "RolledBack"

    @invariant()
    def laws(self) -> None:
        registry = self.registry
        production = [version.ref for version in registry.versions.list(MODEL, stage="Production")]
        split = registry.traffic.current(MODEL)
        assert len(production) <= 1
        assert (split is None) == (not production)
        if split is not None:
            assert [split.blue] == production
        release = registry.releases.get("m:v2")
        assert release is not None
        REACHED.add(release.phase)
        if self.was_promoted or (split is not None and split.gold_share > 0):
            reports = registry.gates.latest("m:v2")
            assert all(name in reports for name in GATES)
            assert release.phase in {*USERS, *CLOSED, "paused", "rolling_back"}
            assert not self.human or self.approved

    def teardown(self) -> None:
        if hasattr(self, "registry"):
            assert self.registry.audit.verify().ok
            self.registry.close()
            self.folder.cleanup()


QUICK = settings(
    max_examples=6, stateful_step_count=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def test_short_walks() -> None:
    run_state_machine_as_test(Walk, settings=QUICK)
    assert {"gates", "rehearsal", "shadow"} <= REACHED


@pytest.mark.slow
def test_many_long_walks() -> None:
    run_state_machine_as_test(Walk, settings=settings(QUICK, max_examples=40, stateful_step_count=60))
    assert set(PHASES) - {"promoting", "rolling_back"} <= REACHED
