"""A committed design notices what its definition and its plan say today."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluegold.design.document import compose, examine
from bluegold.design.drift import State, changes, state
from bluegold.export.skeleton import skeleton
from bluegold.features.loader import load_system


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    skeleton("starter", tmp_path / "starter")
    return tmp_path / "starter"


def now(folder: Path) -> State:
    return state(compose(load_system(folder), None, examine(folder)).packet)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_what_only_moved_is_no_change(folder: Path) -> None:
    before = now(folder)
    for name in ("pipeline.py", "architecture.yaml"):
        path = folder / name
        path.write_text(path.read_text(encoding="utf-8").replace("\n", "\n\n", 1), encoding="utf-8")
    assert changes(before, now(folder)) == ()


def test_definition_plan_and_workload_are_compared(folder: Path) -> None:
    plan = folder / "architecture.yaml"
    plan.write_text(plan.read_text(encoding="utf-8") + "workload: {models: 2, teams: 1}\n", encoding="utf-8")
    before = now(folder)
    change(folder / "pipeline.py", "bg.number(ge=0, le=60", "bg.number(ge=-5, le=60")
    change(plan, "teams: 1", "requests_per_second: 9")
    with plan.open("a", encoding="utf-8") as file:
        file.write("requirements:\n  AP-7: {threshold: 0.9, objective: 0.95, reason: a test}\n")
    found = changes(before, now(folder))
    assert [line.split(":")[0].split(" ")[0] for line in found] == ["AP-7", "field", "requests_per_second", "teams"]
    assert found[0] == "AP-7 replaced: new, ≥ 0.9, objective ≥ 0.95"
    assert "-5 to" in found[1]
    assert found[2:] == ("requests_per_second: new, 9", "teams: gone, was 1")
