"""Loading definitions from files, and what wrong ones are told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import bluegold as bg
from bluegold.core.errors import DefinitionError

GOOD = """
import polars as pl
import bluegold as bg
from helpers import SCALE

class Row(bg.Contract):
    "One row."
    x: float = bg.number()

system = bg.System("NAME", contract=Row, target=pl.col("y") > 0)
system.feature("big", pl.col("x") * SCALE)
system.model("logistic")
"""


def write(folder: Path, code: str = GOOD, plan: str = "system: NAME\n", name: str = "tiny", scale: int = 2) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "pipeline.py").write_text(code.replace("NAME", name))
    (folder / "architecture.yaml").write_text(plan.replace("NAME", name))
    (folder / "helpers.py").write_text(f"SCALE = {scale}\n")
    return folder


def test_a_folder_and_its_file_give_the_same_system(tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    first, second = bg.load_system(folder), bg.load_system(folder / "pipeline.py")
    assert first.name == second.name == first.plan.system == "tiny"
    assert set(first.source_text) == {"pipeline.py", "architecture.yaml", "helpers.py"}
    assert str(folder) not in sys.path


def test_two_definitions_may_each_have_helpers(tmp_path: Path) -> None:
    one = bg.load_system(write(tmp_path / "a", scale=2))
    two = bg.load_system(write(tmp_path / "b", scale=3))
    assert "2" in str(one.features[0].expression)
    assert "3" in str(two.features[0].expression)


@pytest.mark.parametrize(
    ("code", "plan", "said"),
    [
        ("x = 1 +\n", "system: NAME", "line 1 fails: SyntaxError"),
        ("\n\nimport nothing_like_this", "system: NAME", "line 3 fails: ModuleNotFoundError"),
        ("x = 1", "system: NAME", "defines 0 systems"),
        (GOOD, "system: other", "is about 'other' but 'pipeline.py' defines 'tiny'"),
        (GOOD, "system: [", "is not a valid plan"),
        (GOOD, "system: NAME\ncolour: red", "unknown field `colour`"),
        (GOOD, "system: NAME\nfairness: {thresholds_by: sex}", "fairness.thresholds_by names 'sex'"),
        (GOOD.replace('system.model("logistic")', ""), "system: NAME", "names no models"),
        (GOOD.replace('system.feature("big", pl.col("x") * SCALE)', ""), "system: NAME", "defines no features"),
        (GOOD.replace("bg.number()", "bg.number(ge=2, le=1)"), "system: NAME", "allows nothing"),
    ],
)
def test_wrong_definitions(tmp_path: Path, code: str, plan: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        bg.load_system(write(tmp_path / "x", code, plan))
    assert said in str(caught.value)
    assert caught.value.way_out


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="there is no definition at"):
        bg.load_system(tmp_path)
    (tmp_path / "pipeline.py").write_text(
        GOOD.replace("NAME", "tiny").replace("from helpers import SCALE", "SCALE = 1")
    )
    with pytest.raises(DefinitionError, match=r"architecture\.yaml' cannot be read"):
        bg.load_system(tmp_path)


def test_public_names_are_sorted_and_loaded_on_first_use() -> None:
    assert bg.__all__ == sorted(bg.__all__)
    assert all(getattr(bg, name) is not None for name in bg.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        bg.nothing  # noqa: B018 - the access is the test
    code = "import sys, bluegold; print('polars' in sys.modules, 'msgspec' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
