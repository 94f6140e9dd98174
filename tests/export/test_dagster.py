"""The exported Dagster file is loaded and run by Dagster itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bluegold.core.errors import UsageError
from bluegold.export.dagster import render
from bluegold.export.skeleton import skeleton
from bluegold.export.targets import export
from bluegold.export.tasks import Task

RUN = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("definitions", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
import dagster
with dagster.DagsterInstance.ephemeral() as instance:
    result = module.defs.get_implicit_global_asset_job_def().execute_in_process(instance=instance, raise_on_error=False)
print(result.success, len(result.get_asset_materialization_events()))
"""


def _dagster(file: Path) -> str:
    home = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{home}:{os.environ['PATH']}",
        "DAGSTER_HOME": "",
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN, str(file)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout.splitlines()[-1]


def test_tasks_run_in_order_and_a_failure_stops_the_rest(tmp_path: Path) -> None:
    def task(name: str, code: str, needs: tuple[str, ...]) -> Task:
        command = (sys.executable, "-c", code)
        return Task(name=name, purpose='it\'s a "test"', command=command, needs=needs, timeout_s=30.0, retries=0)

    log = tmp_path / "log"
    write = f"open({str(log)!r}, 'a').write('%s ')"
    tasks = (
        task("one", write % 1, ()),
        task("two", "raise SystemExit(1)", ("one",)),
        task("three", write % 3, ("two",)),
    )
    file = tmp_path / "definitions.py"
    file.write_text(render("test", tasks))
    assert _dagster(file) == "False 1"
    assert log.read_text() == "1 "


@pytest.mark.slow
def test_a_real_system_develops_under_dagster(tmp_path: Path) -> None:
    skeleton("starter", tmp_path / "starter")
    file = export("dagster", "starter", tmp_path / "starter", tmp_path / "space", tmp_path / "out")
    assert _dagster(file).startswith("True")
    shown = subprocess.run(
        [sys.executable, "-m", "bluegold", "history", "--workspace", str(tmp_path / "space"), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(shown.stdout)


def test_an_unknown_target_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no export target 'spreadsheet'"):
        export("spreadsheet", "x", tmp_path, tmp_path, tmp_path)
