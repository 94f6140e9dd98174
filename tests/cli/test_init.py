"""`bluegold init --from`: a code base becomes a first definition with its notebooks as stages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bluegold.core.plan_file import read_plan


def bluegold(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bluegold", *words], cwd=folder, capture_output=True, text=True, check=False
    )


def notebook(*cells: str, language: str = "python") -> str:
    found = [{"cell_type": "code", "metadata": {}, "source": cell, "outputs": []} for cell in cells]
    return json.dumps({"cells": found, "metadata": {"kernelspec": {"language": language}}, "nbformat": 4})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "code"
    (root / "dags").mkdir(parents=True)
    (root / "dags" / "nightly.py").write_text("from airflow import DAG\nimport mlflow\nmlflow.start_run()\n")
    (root / "requirements.txt").write_text("xgboost\n")
    rows = "\n".join(f"{i},{i % 5},{int(i % 7 > 3)}" for i in range(200))
    (root / "rows.csv").write_text("a,b,late\n" + rows)
    (root / "model.ipynb").write_text(
        notebook(
            "import polars as pl\nfrom sklearn.linear_model import LogisticRegression",
            "rows = pl.read_csv('rows.csv')\nrows.head()",
            "y = rows['late'].to_numpy()\nX = rows.select('a', 'b').to_numpy()",
            "model = LogisticRegression().fit(X, y)\nprint('score', model.score(X, y))",
        )
    )
    (root / "broken.ipynb").write_text('{"cells": [')
    (root / "other.ipynb").write_text(notebook("library(x)", language="R"))
    return root


def test_a_code_base_becomes_a_definition_that_runs(repository: Path, tmp_path: Path) -> None:
    done = bluegold("init", "late", "--from", "code", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["stages"] == ["stages.model"]
    notes = "\n".join(said["notes"])
    assert "model.ipynb became load -> features -> train" in notes
    assert "other.ipynb' is written in r" in notes
    assert "broken.ipynb' is not a notebook" in notes
    text = (tmp_path / "late" / "architecture.yaml").read_text()
    assert "airflow (orchestrator): dags/nightly.py:1" in text
    assert "xgboost (framework): requirements.txt:1" in text
    plan = read_plan(tmp_path / "late" / "architecture.yaml")
    assert plan.system == "late"
    assert any("Airflow" in choice or "airflow" in choice for choice in plan.decisions.values()), plan.decisions
    pipeline = (tmp_path / "late" / "pipeline.py").read_text()
    assert 'target=pl.col("late") == 1' in pipeline
    ran = subprocess.run(
        [sys.executable, "-m", "stages.model.run"], cwd=tmp_path / "late", capture_output=True, text=True, check=False
    )
    assert ran.stdout.startswith("score 0."), ran.stderr
    again = bluegold("init", "late", "--from", "code", folder=tmp_path)
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_a_named_notebook_is_the_only_one_and_must_be_good(repository: Path, tmp_path: Path) -> None:
    done = bluegold("init", "one", "--from", "code/model.ipynb", "--json", folder=tmp_path)
    assert json.loads(done.stdout)["stages"] == ["stages.model"]
    bad = bluegold("init", "two", "--from", "code/broken.ipynb", folder=tmp_path)
    assert bad.returncode == 1
    assert "is not a notebook" in bad.stderr
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize(("name", "said"), [("nowhere", "does not exist"), ("code/rows.csv", "is not a directory")])
def test_what_is_no_code_base_is_said(repository: Path, tmp_path: Path, name: str, said: str) -> None:
    done = bluegold("init", "x", "--from", name, folder=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_notebook_and_no_data_is_said(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").write_text("from xgboost import XGBClassifier\nXGBClassifier().fit([[0]], [1])")
    done = bluegold("init", "x", "--from", "code", folder=tmp_path)
    assert "there is no notebook to make stages of" in done.stdout
    assert "pipeline.py is a starter" in done.stdout
    assert 'system.model("xgboost")  # a.py:2 uses it' in (tmp_path / "x" / "pipeline.py").read_text()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission_is_said(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    done = bluegold("init", "x", "--from", "code", "--out", "closed/x", folder=tmp_path)
    assert done.returncode == 1
    assert "no right to write" in done.stderr
