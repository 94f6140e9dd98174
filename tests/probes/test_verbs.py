"""`bluegold prove` and `bluegold where` as people and scripts call them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bluegold.cli.where import where
from bluegold.core.errors import UsageError
from bluegold.core.workspace import Workspace
from bluegold.probes.places import place
from bluegold.registry import Registry
from bluegold.requirements.catalog import catalog
from bluegold.requirements.ledger import Ledger

IDS = [row.id for row in catalog()]
RUNNER = CliRunner()
APP = typer.Typer()
APP.command("where")(where)


def bluegold(*arguments: str, cwd: Path, key: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bluegold", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=os.environ | {"BLUEGOLD_KEY": key},
    )


def test_prove_one(space: Workspace, folder: Path, tmp_path: Path) -> None:
    done = bluegold("prove", "ap-7", "CP-3", "-w", str(space.root), "--system", str(folder), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["AP-7", "missed"]
    assert "≥ 0.999 -> ≥ 0.9999" in lines[0]
    assert any(line.startswith("CP-3   not applicable") for line in lines)
    assert "not applicable because no field of its contract is marked financial_id" in done.stdout
    assert json.loads(space.evidence.read_text(encoding="utf-8").splitlines()[0])["requirement"] == "AP-7"


def test_prove_as_json_takes_the_definition_from_the_registry(space: Workspace, tmp_path: Path) -> None:
    done = bluegold("prove", "AP-7", "AP-11", "CP-4", "--json", "-w", str(space.root), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert [row["requirement"]["id"] for row in told["checklist"]] == ["AP-7", "AP-11", "CP-4"]
    by_id = {one["requirement"]: one for one in told["evidence"]}
    assert (by_id["CP-4"]["value"], by_id["CP-4"]["verdict"]) == (None, "not applicable")
    assert 0 < by_id["AP-11"]["value"] <= 100
    assert sum(told["totals"].values()) == 3
    assert told["ledger"] == str(space.evidence)


def test_evidence_stands_in_a_proven_name_and_shows_what_was_changed(space: Workspace, tmp_path: Path) -> None:
    with Registry.open(space, actor="sue") as registry:
        _, key = registry.users.add("sue", ("security officer",))
    without = bluegold("prove", "AP-7", "-w", str(space.root), cwd=tmp_path)
    assert (without.returncode, space.evidence.exists()) == (1, False)
    assert "a name alone changes nothing here" in without.stderr
    done = bluegold("prove", "AP-7", "-w", str(space.root), cwd=tmp_path, key=key)
    assert done.returncode == 0, done.stderr
    [entry] = Ledger(space.evidence).entries()
    assert entry.evidence.actor == "sue"
    line = space.evidence.read_bytes()
    space.evidence.write_bytes(line + line)  # more came since: that is no change of what was there
    assert "bytes of evidence" in bluegold("audit", "verify", "-w", str(space.root), cwd=tmp_path).stdout
    space.evidence.write_bytes(line.replace(b'"missed"', b'"objective"') + line)
    changed = bluegold("audit", "verify", "-w", str(space.root), cwd=tmp_path)
    assert changed.returncode == 1
    assert "file evidence.jsonl" in changed.stdout


def test_an_unknown_requirement(space: Workspace, tmp_path: Path) -> None:
    done = bluegold("prove", "AP-77", "-w", str(space.root), cwd=tmp_path)
    assert done.returncode == 2
    assert "AP-77" in done.stderr
    assert "AP-7 (model accuracy)" in done.stderr
    assert done.stdout == ""
    assert not space.evidence.exists()


def test_where_there_is_no_workspace(tmp_path: Path) -> None:
    done = bluegold("prove", "-w", str(tmp_path / "none"), cwd=tmp_path)
    assert done.returncode == 1
    assert "there is no workspace" in done.stderr


@pytest.mark.parametrize(("wrong", "near"), [("AP-99", "AP-9 "), ("fairness", "AP-11 "), ("x", "use an id")])
def test_where_knows_no_such_requirement(wrong: str, near: str) -> None:
    result = RUNNER.invoke(APP, [wrong])
    assert isinstance(result.exception, UsageError)
    assert wrong in str(result.exception)
    assert near in str(result.exception)


def test_where_names_the_place() -> None:
    path, _, line = json.loads(RUNNER.invoke(APP, ["cp-5", "--json"]).stdout)["probe"].rpartition(":")
    assert Path(path).read_text(encoding="utf-8").splitlines()[int(line) - 1].startswith("def measure(")
    plain = RUNNER.invoke(APP, ["AP-10"]).stdout
    assert plain.startswith(place("AP-10"))
    assert "gate: operation" in plain


@pytest.mark.parametrize("row", catalog(), ids=IDS)
def test_every_component_of_the_catalogue_is_there(row: Any) -> None:
    import bluegold

    root = Path(bluegold.__file__).parent
    assert (root / row.component).is_dir() or (root / f"{row.component}.py").is_file(), row.component
