"""A regulated system waits for a person; the command line says so, and how to go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

import bluegold as bg
from bluegold.cli.approve import approve
from bluegold.cli.deliver import deliver as deliver_verb
from bluegold.cli.promote import promote as promote_verb
from bluegold.cli.rollback import rollback as rollback_verb
from bluegold.cli.terminal import guarded
from bluegold.core.errors import AccessDenied
from bluegold.core.workspace import Workspace
from bluegold.delivery.controller import deliver
from bluegold.delivery.journal import Journal
from bluegold.delivery.safety import complete_rollback, decide_rollback
from bluegold.delivery.steering import Steering
from bluegold.delivery.withdraw import withdraw
from bluegold.development import develop
from bluegold.registry import Registry

from .conftest import FOLDER, MODEL, PUMPS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def regulated(tmp_path: Path) -> Workspace:
    """A workspace whose only version says in its signed plan that a person must approve it."""
    folder = tmp_path / "definition"
    shutil.copytree(FOLDER, folder)
    with (folder / "architecture.yaml").open("a", encoding="utf-8") as file:
        file.write("regulated: true\ngovernance: {approval: human, approvals: 1}\n")
    space = Workspace.create(tmp_path / "w")
    with Registry.open(space, actor="ada") as registry:
        develop(
            bg.load_system(folder), space, registry, author="ada", data=bg.Data(PUMPS.readings(2000, 1)), folder=folder
        )
    return space


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(verb: Callable[..., None], *arguments: str) -> tuple[int, str, str]:
        app = typer.Typer(pretty_exceptions_enable=False)
        app.command()(verb)
        code = guarded(lambda: app(list(arguments), standalone_mode=False))
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_a_regulated_version_waits_for_somebody_else(regulated: Workspace, run: Run) -> None:
    where = ("--workspace", str(regulated.root))
    code, out, err = run(deliver_verb, "v1", *where, "--actor", "olga")
    assert code == 1
    assert "waits for approval" in err
    assert "bluegold approve pumps:v1" in err
    assert "waiting for approval" in out

    code, _, err = run(approve, "v1", *where, "--actor", "ada")
    assert code == 1
    assert "author is the same person" in err

    code, out, _ = run(approve, "v1", *where, "--actor", "ben", "--comment", "numbers read")
    assert code == 0
    assert "1 of 1" in out

    with Registry.open(regulated, actor="automatic") as registry:
        assert deliver("v1", registry, regulated).phase == "waiting_for_approval"

    code, out, _ = run(deliver_verb, "v1", *where, "--actor", "olga", "--json")
    assert code == 0
    assert json.loads(out)["phase"] == "promoted"
    with Registry.open(regulated) as registry:
        production = registry.lifecycle.production(MODEL)
    assert production is not None
    assert production.reason == "approved by ben"  # and not what the release had waited for


def test_the_plan_that_was_signed_decides_not_the_one_that_is_given(regulated: Workspace) -> None:
    """A laxer plan at delivery time changes limits, never the need for a person."""
    lax = bg.load_system(FOLDER).plan
    assert not lax.regulated
    with Registry.open(regulated, actor="olga") as registry:
        assert deliver("v1", registry, regulated, lax).phase == "waiting_for_approval"


def test_a_waiting_release_can_be_withdrawn(regulated: Workspace) -> None:
    with Registry.open(regulated, actor="olga") as registry:
        deliver("v1", registry, regulated)
        release = withdraw(MODEL, registry, regulated, reason="not wanted")
        assert release.phase == "refused"
        assert registry.versions.get("v1").stage == "Refused"
        assert registry.traffic.current(MODEL) is None


def test_a_first_version_that_waits_can_be_taken_back_too(regulated: Workspace) -> None:
    """There is nothing to go back to, and still the release must end."""
    with Registry.open(regulated, actor="olga") as registry:
        release = deliver("v1", registry, regulated)
        journal = Journal(registry, release, "olga")
        decide_rollback(journal, "second thoughts", actor="olga")
        complete_rollback(journal, Steering(registry, regulated, MODEL, "olga"))
        assert registry.releases.get("v1").phase == "rolled_back"
        assert registry.versions.get("v1").stage == "RolledBack"
        assert registry.lifecycle.production(MODEL) is None


def test_roles_hold_at_the_verbs(workspace: Workspace, blue: object, run: Run) -> None:
    roles = {"dora": ["developer"], "vera": ["validator"], "olga": ["operator"]}
    (workspace.root / "access.json").write_text(json.dumps(roles), encoding="utf-8")
    where = ("--workspace", str(workspace.root))
    code, _, err = run(rollback_verb, *where, "--actor", "dora")
    assert (code, "may not restore" in err) == (1, True)
    code, _, err = run(promote_verb, "v2", *where, "--actor", "vera")
    assert (code, "may not promote" in err) == (1, True)
    with Registry.open(workspace, actor="olga") as registry, pytest.raises(AccessDenied):
        deliver("v2", registry, workspace, actor="rob")


def test_a_refused_version_exits_with_one_and_its_reason(workspace: Workspace, run: Run) -> None:
    code, out, err = run(deliver_verb, "v4", "--workspace", str(workspace.root), "--json")
    assert code == 1
    assert "AP-7" in err.splitlines()[-1]
    assert json.loads(out)["phase"] == "refused"


def test_production_goes_back_by_hand_and_forward_again_only_by_name(
    workspace: Workspace, registry: Registry, blue: object, run: Run
) -> None:
    where = ("--workspace", str(workspace.root), "--actor", "olga")
    code, _, err = run(rollback_verb, *where)
    assert (code, "nothing to take back" in err) == (1, True)
    for stage in ("Staging", "Canary"):
        registry.lifecycle.transition("pumps:v2", stage, reason="test")
    registry.promote("pumps:v2", reason="test")
    code, out, _ = run(rollback_verb, *where, "--reason", "complaints")
    assert (code, "pumps:v2 taken back; pumps:v1 is in production" in out) == (0, True)
    assert registry.versions.get("v2").stage == "RolledBack"
    code, _, err = run(rollback_verb, *where, "--to", "v2")
    assert (code, "cannot go back to pumps:v2" in err) == (1, True)
    assert registry.lifecycle.production(MODEL).ref == "pumps:v1"
    events = [event.subject for event in registry.audit.events(limit=500) if event.action == "rollback"]
    assert events == ["pumps:v2"]


def test_unknown_version_and_workspace_are_one_sentence(workspace: Workspace, run: Run, tmp_path: Path) -> None:
    code, _, err = run(deliver_verb, "v9", "--workspace", str(workspace.root))
    assert (code, "there is no version 'v9'" in err) == (1, True)
    code, _, err = run(deliver_verb, "v1", "--workspace", str(tmp_path / "nowhere"))
    assert (code, "no workspace" in err) == (1, True)
