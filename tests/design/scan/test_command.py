"""`bluegold scan` at the terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Grow = Callable[[dict[str, str]], Path]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    code = "import sys, typer; from bluegold.cli.scan import scan; from bluegold.cli.terminal import guarded\n"
    code += "app = typer.Typer(); app.command()(scan); sys.exit(guarded(app))"
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)


def test_json_is_one_document(grow: Grow) -> None:
    root = grow({"a.py": "import torch"})
    done = run(str(root), "--json")
    (finding,) = json.loads(done.stdout)["findings"]
    wanted = {"kind", "technology", "section", "usage", "path", "line", "evidence", "confidence", "detector"}
    assert wanted <= set(finding)
    assert (finding["technology"], finding["usage"], finding["path"], finding["line"]) == ("pytorch", "used", "a.py", 1)
    assert (done.returncode, done.stderr) == (0, "")


def test_table_is_grouped_and_bounded(grow: Grow) -> None:
    root = grow({"a.py": "import torch\nimport jax\nimport optuna", "README.md": "Not Airflow."})
    done = run(str(root), "--limit", "2")
    assert done.returncode == 0
    assert done.stdout.index("used (3)") < done.stdout.index("mentioned (1)")
    assert "a.py:1" in done.stdout
    assert "... and 1 more" in done.stdout


@pytest.mark.parametrize(
    ("files", "said"),
    [({}, "The folder is empty"), ({"a.py": "import django"}, "No machine learning"), ({"a.txt": "x"}, "No machine")],
)
def test_nothing_to_find_is_said(grow: Grow, files: dict[str, str], said: str) -> None:
    done = run(str(grow(files)))
    assert done.returncode == 0
    assert said in done.stdout
    assert json.loads(run(str(grow({})), "--json").stdout)["findings"] == [] or files


@pytest.mark.parametrize("name", ["missing", "file.txt"])
def test_no_directory_fails_in_one_sentence(grow: Grow, name: str) -> None:
    root = grow({"file.txt": "x"})
    done = run(str(root / name))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert name in done.stderr
    assert "Way out" in done.stderr
