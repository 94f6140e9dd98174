"""What the repository as a whole promises: import rules, two commands, no addresses, a fast help."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)  # noqa: S607 - git is on the PATH of a checkout
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def test_no_index_addresses_or_download_links() -> None:
    pattern = re.compile(r"--(extra-)?index-url|https?://\S+\.(whl|tgz|tar\.gz)|\"resolved\":")
    for path in _tracked():
        if path == Path(__file__) or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        assert not pattern.search(text), path


def test_constraints_are_bare_pins() -> None:
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        assert not line or line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line), line


def test_every_dependency_is_pinned() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    for need in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
        name = re.split(r"[<>=\[; ]", need)[0].lower().replace("_", "-")
        assert name in pins, f"{name} is not in constraints.txt"
        assert ">=" in need, f"{need} has no lower bound"


def test_readme_opens_with_the_two_commands() -> None:
    head = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:25])
    assert head.index("make demo") < head.index("make test")


def test_help_lists_every_verb() -> None:
    from bluegold.cli.main import VERBS

    shown = subprocess.run([sys.executable, "-m", "bluegold", "--help"], capture_output=True, text=True, check=True)
    for names in VERBS.values():
        for name in names:
            assert name in shown.stdout


def test_help_imports_nothing_heavy() -> None:
    """The time of `--help` is bounded by what it imports, so that is what is tested."""
    code = "import sys; from bluegold.cli.main import build; build(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"polars", "sklearn", "lightgbm", "sqlalchemy", "granian", "pandas", "numpy", "jinja2", "cryptography"}
    assert not heavy & set(loaded)
