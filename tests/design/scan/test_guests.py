"""Detectors that an installed package brings: found by its entry point, and said where they cannot be read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASK = "import sys; from pathlib import Path; from bluegold.design.scan import scan\n"
ASK += "print([(f.technology, f.usage, f.line) for f in scan(Path(sys.argv[1]))])"
TABLE = 'kind = "orchestrator"\nsection = "S1"\n[ourflow]\nimports = ["ourflow"]\nnames = ["ourflow"]\n'


def installed(root: Path, value: str, table: str = TABLE) -> Path:
    """A package as an installer leaves it, with one entry point."""
    site = root / "site"
    (site / "ourflow_signs").mkdir(parents=True)
    (site / "ourflow_signs" / "__init__.py").write_text(
        "from pathlib import Path\nTABLE = Path(__file__).with_name('signs.toml')\n"
    )
    (site / "ourflow_signs" / "signs.toml").write_text(table)
    info = site / "ourflow_signs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ourflow-signs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[bluegold.detectors]\nourflow = {value}\n")
    return site


def ask(site: Path, repository: Path) -> subprocess.CompletedProcess[str]:
    repository.mkdir()
    (repository / "flow.py").write_text("import os\nimport ourflow\n")
    return subprocess.run(
        [sys.executable, "-c", ASK, str(repository)],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_package_brings_detectors(tmp_path: Path) -> None:
    done = ask(installed(tmp_path, "ourflow_signs:TABLE"), tmp_path / "repository")
    assert done.stdout.strip() == "[('ourflow', 'used', 2)]", done.stderr


@pytest.mark.parametrize("value", ["ourflow_signs:MISSING", "no_such_module:TABLE"])
def test_a_broken_entry_point_is_named(tmp_path: Path, value: str) -> None:
    done = ask(installed(tmp_path, value), tmp_path / "repository")
    assert "the detectors of 'ourflow' cannot be loaded" in done.stderr


def test_a_broken_table_is_named(tmp_path: Path) -> None:
    done = ask(installed(tmp_path, "ourflow_signs:TABLE", "[ourflow]\ncolour = 1\n"), tmp_path / "repository")
    assert "signs.toml' cannot be read" in done.stderr
