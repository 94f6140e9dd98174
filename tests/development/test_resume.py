"""A real process, really killed: what was finished is reused, and the end is the same."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import bluegold as bg
from bluegold.core.workspace import Workspace
from bluegold.development import StageEvent, develop
from bluegold.development.digests import code_digest
from bluegold.registry import Registry

VERB = "import typer; from bluegold.cli.develop import develop; a = typer.Typer(); a.command()(develop); a()"


def _start(folder: Path, workspace: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", VERB, "--system", str(folder), "--workspace", str(workspace), "--actor", "ada"]
    return subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    "last",
    [
        pytest.param("data_quality_checks", marks=pytest.mark.slow),
        "model_building",
        pytest.param("verification/robustness", marks=pytest.mark.slow),
        "code_commit",
    ],
)
def test_a_killed_run_goes_on_where_it_was(
    last: str, folder: Path, machines: Callable[[], bg.System], tmp_path: Path
) -> None:
    process = _start(folder, tmp_path / "killed")
    assert process.stderr is not None
    for line in process.stderr:
        if f" {last} " in line and " done " in line:
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    assert process.returncode == -signal.SIGKILL

    code_digest.cache_clear()
    events: list[StageEvent] = []
    killed = Workspace.create(tmp_path / "killed")
    with Registry.open(killed, actor="ada") as registry:
        version = develop(machines(), killed, registry, author="ada", folder=folder, on_event=events.append)
        assert registry.audit.verify().ok
        assert len(registry.versions.list()) == 1
    outcome = [(event.stage, event.what) for event in events if event.what in ("reused", "done")]
    names = [name for name, _ in outcome]
    before = names.index(last) + 1
    assert {what for _, what in outcome[:before]} == {"reused"}

    whole = Workspace.create(tmp_path / "whole")
    with Registry.open(whole, actor="ada") as registry:
        straight = develop(machines(), whole, registry, author="ada", folder=folder)
    assert straight.digest == version.digest


def test_the_verb_prints_one_json_document(folder: Path, tmp_path: Path) -> None:
    process = _start(folder, tmp_path / "w", "--json")
    out, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    version = json.loads(out)
    assert version["version"] == "v1"
    assert version["author"] == "ada"
    assert "continuous_integration" in told


def test_rows_from_a_file_replace_the_source(folder: Path, machines: Callable[[], bg.System], tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    machines().load().rows.head(2_800).write_parquet(file)
    process = _start(folder, tmp_path / "w", "--json", "--data", str(file))
    out, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert json.loads(out)["metrics"]["n"] < 2_800
