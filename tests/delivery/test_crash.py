"""A controller killed with kill -9 at any write resumes or goes to safety; users never notice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bluegold.core.workspace import Workspace
from bluegold.delivery.controller import deliver
from bluegold.delivery.events import DeliveryEvent
from bluegold.delivery.gating import GATES
from bluegold.delivery.release import CLOSED
from bluegold.delivery.rollback import rollback
from bluegold.production.operations.processes import Endpoint
from bluegold.registry import Registry

from .conftest import MODEL, Traffic

Make = Callable[..., Traffic]
CRASH = Path(__file__).with_name("crash.py")
MAY_ANSWER_USERS = {"canary", "shift", "promoting", "paused", "rolling_back", "promoted"}


def controller(workspace: Workspace, version: str, what: str, limit: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CRASH), str(workspace.root), version, what, str(limit)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def look(registry: Registry, ref: str) -> str:
    """The invariants that must hold at every crash point; returns the phase."""
    production = registry.versions.list(MODEL, stage="Production")
    assert len(production) == 1
    split = registry.traffic.current(MODEL)
    assert split.blue == production[0].ref
    release = registry.releases.get(ref)
    phase = release.phase if release else "candidate"
    if split.gold_share > 0 or production[0].ref == ref:
        assert phase in MAY_ANSWER_USERS
        reports = registry.gates.latest(ref)
        assert {reports[name].verdict for name in GATES} == {"pass"}
        assert release.detail["rehearsal"]["ok"]
    assert registry.audit.verify().ok
    return phase


def run_to_the_end(workspace: Workspace, registry: Registry, version: str, what: str) -> list[str]:
    """Kill at every write of a kind, one after the other, until a controller comes through."""
    ref, seen, limit = f"{MODEL}:{version}", [], 1
    for _ in range(80):
        before = look(registry, ref)
        done = controller(workspace, version, what, limit)
        phase = look(registry, ref)
        seen.append(phase)
        if done.returncode == 0:
            assert done.stdout == phase
            return seen
        assert done.returncode == -9, done.stderr
        if phase in CLOSED:
            return seen
        limit = limit + 1 if phase == before else 1
    raise AssertionError(f"no end after {seen}")


def test_a_controller_starts_without_the_libraries_that_train() -> None:
    """Who takes over from a dead controller has the length of its lease: what it does not need, it does not load."""
    code = "import sys, bluegold.delivery.controller; print({'lightgbm', 'sklearn', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "set()"


def test_killed_after_every_phase_it_still_promotes(
    workspace: Workspace, registry: Registry, server: Endpoint, traffic: Make
) -> None:
    with traffic() as live:
        seen = run_to_the_end(workspace, registry, "v2", "phase")
    assert seen[-1] == "promoted"
    assert {"gates", "rehearsal", "shadow", "canary", "shift", "promoting"} <= set(seen)
    assert live.failed == []
    assert live.answers[-1]["version"] == "v2"


@pytest.mark.slow
def test_killed_while_rolling_back_it_still_goes_to_safety(
    workspace: Workspace, registry: Registry, server: Endpoint, traffic: Make
) -> None:
    with traffic(hot=True) as live:
        seen = run_to_the_end(workspace, registry, "v3", "phase")
    assert seen[-2:] == ["rolling_back", "rolled_back"]
    assert registry.versions.get("v3").stage == "RolledBack"
    assert registry.releases.get("v3").detail["reason"]
    assert live.failed == []
    assert live.answers[-1]["version"] == "v1"


@pytest.mark.slow
def test_a_person_finishes_what_a_dead_controller_left(
    workspace: Workspace, registry: Registry, server: Endpoint, traffic: Make
) -> None:
    with traffic():
        assert controller(workspace, "v2", "phase", 4).returncode == -9  # gates, rehearsal, shadow, canary
        assert look(registry, "pumps:v2") == "canary"
        done = rollback(MODEL, registry, workspace, reason="the controller died")
    assert done.production == "pumps:v1"
    assert look(registry, "pumps:v2") == "rolled_back"


def test_a_dead_controller_mid_canary_ends_in_safety_without_anybody_calling(
    workspace: Workspace,
    registry: Registry,
    server: Endpoint,
    traffic: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The workers see that the controller's lease shows no life, and go back to Blue alone."""
    monkeypatch.setenv("BLUEGOLD_TEST_LEASE", "2")
    with traffic() as live:
        assert controller(workspace, "v2", "phase", 5).returncode == -9  # gates, rehearsal, shadow, canary, shift
        assert registry.traffic.current(MODEL).mode == "canary"
        deadline = time.monotonic() + 120
        while registry.traffic.current(MODEL).mode != "off" and time.monotonic() < deadline:
            time.sleep(0.05)
    split = registry.traffic.current(MODEL)
    assert (split.blue, split.gold, split.mode, split.set_by) == ("pumps:v1", "", "off", "automatic:watchdog")
    assert "shown no life" in split.reason
    assert live.failed == []
    assert controller(workspace, "v2", "phase", 999).stdout == "rolled_back"  # who comes back finds the traffic gone
    assert registry.audit.verify().ok


@pytest.mark.slow
@pytest.mark.parametrize(("version", "end", "what"), [("v2", "promoted", "before"), ("v3", "rolled_back", "after")])
@pytest.mark.longest
def test_killed_at_every_single_write(
    version: str,
    end: str,
    what: str,
    workspace: Workspace,
    registry: Registry,
    traffic: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Two controllers in a row die before they renew the lease. On a busy machine that is longer than its ten seconds,
    # and the watchdog rightly goes to safety; here it has to wait, so that the walk shows what the controller does.
    monkeypatch.setenv("BLUEGOLD_TEST_LEASE", "600")
    with traffic(hot=end == "rolled_back") as live:
        seen = run_to_the_end(workspace, registry, version, what)
    reason = str(registry.releases.get(version).detail.get("reason", ""))
    assert "shown no life" not in reason
    assert seen[-1] in {end, "rolled_back"}, reason  # a guardrail may still end it in safety, nothing elsewhere
    back = seen[-1] == "rolled_back"
    assert registry.lifecycle.production(MODEL).ref == ("pumps:v1" if back else f"{MODEL}:{version}")
    assert registry.traffic.current(MODEL).gold == ""
    assert live.failed == []


@pytest.mark.slow
def test_a_candidate_whose_artefact_vanishes_mid_rollout_is_taken_back(
    workspace: Workspace, registry: Registry, server: Endpoint, traffic: Make
) -> None:
    digest = registry.versions.get("v2").artefacts["model.txt"]

    def vanish(event: DeliveryEvent) -> None:
        if event.phase == "canary":
            for path in workspace.objects.rglob(f"*{digest[-40:]}*"):
                path.unlink()

    with traffic() as live:
        release = deliver("v2", registry, workspace, on_event=vanish)
    assert release.phase in {"rolled_back", "paused"}
    assert registry.lifecycle.production(MODEL).ref == "pumps:v1"
    split = registry.traffic.current(MODEL)
    assert (split.blue, split.gold) == ("pumps:v1", "")
    assert "model.txt" in release.detail["reason"] or digest[:8] in release.detail["reason"]
    assert live.failed == []


@pytest.mark.slow
def test_ctrl_c_pauses_with_blue_alone_and_the_same_command_goes_on(
    workspace: Workspace, registry: Registry, server: Endpoint, traffic: Make
) -> None:
    with traffic() as live:
        command = [sys.executable, str(CRASH), str(workspace.root), "v2", "phase", "999"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and look(registry, "pumps:v2") not in {"shadow", "canary", "shift"}:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
        assert look(registry, "pumps:v2") == "paused"
        split = registry.traffic.current(MODEL)
        assert (split.blue, split.gold, split.mode) == ("pumps:v1", "", "off")
        done = controller(workspace, "v2", "phase", 999)
    assert done.stdout == "promoted"
    assert live.failed == []
