"""The README is tested: what it tells a newcomer to run is run, in a fresh clone with a fresh virtual environment."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _fences(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_it_opens_with_the_two_commands() -> None:
    commands = [line.split("#")[0].strip() for line in _fences("bash")[0].splitlines()]
    assert commands == ["make demo", "make test"]


def test_every_command_exists() -> None:
    verbs = set(re.findall(r"`bluegold ([a-z]+)", README))
    assert len(verbs) > 8
    for verb in sorted(verbs):
        shown = subprocess.run([sys.executable, "-m", "bluegold", verb, "--help"], capture_output=True, check=False)
        assert shown.returncode == 0, verb


def test_the_python_runs() -> None:
    for snippet in _fences("python"):
        subprocess.run([sys.executable, "-W", "error", "-c", snippet], check=True)


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


@pytest.mark.longest
@pytest.mark.slow
def test_the_two_commands_on_a_fresh_clone(tmp_path: Path) -> None:
    """`make demo` on a subset of rows and `make test` on the house rules, from nothing but Python, make and git."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)  # noqa: S607 - git is on the PATH of a checkout
    space = tmp_path / "space"
    demo = ["make", "demo", f"PYTHON={sys.executable}", f"DEMO_ARGS=--fast --workspace {space}"]
    done = subprocess.run(demo, cwd=clone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    summary = json.loads((space / "summary.json").read_text(encoding="utf-8"))
    assert summary["requests"]["failed"] == 0
    assert summary["audit_verified"] is True
    tests = ["make", "test", f"PYTHON={sys.executable}", "TEST_ARGS=tests/core tests/house/test_limits.py"]
    done = subprocess.run(tests, cwd=clone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
