"""The same tree gives the same findings in the same order; ten thousand files take seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bluegold.core.nouns import Finding
from bluegold.design.scan import scan

Grow = Callable[[dict[str, str]], Path]


def test_order_is_fixed(grow: Grow) -> None:
    files = {f"{name}/{n}.py": "import torch\nimport mlflow\nmlflow.log_metric('a', 1)" for name in "cab" for n in "21"}
    found = scan(grow(files))
    assert [f.path for f in found] == sorted(f.path for f in found)
    again = grow(dict(reversed(files.items())))
    assert msgspec.json.encode(scan(again)) == msgspec.json.encode(found)


def test_findings_travel_as_json(grow: Grow) -> None:
    found = scan(grow({"a.py": "import torch"}))
    assert msgspec.json.decode(msgspec.json.encode(found), type=tuple[Finding, ...]) == found


@pytest.mark.slow
def test_ten_thousand_files(tmp_path: Path) -> None:
    text = "import os\nimport torch\n\n" + "def f(x):\n    return torch.relu(x)  # step\n\n" * 20
    for number in range(10_000):
        folder = tmp_path / f"d{number % 97}"
        folder.mkdir(exist_ok=True)
        (folder / f"m{number}{('.py', '.md', '.yaml', '.bin')[number % 4]}").write_text(text)
    started = time.process_time()
    assert len(scan(tmp_path)) >= 5_000
    assert time.process_time() - started < 60
