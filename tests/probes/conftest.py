"""A starter system, developed and in production, measured once by every probe."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from bluegold.core.nouns import Evidence
from bluegold.core.workspace import Workspace
from bluegold.development import develop
from bluegold.export.skeleton import skeleton
from bluegold.features.loader import load_system
from bluegold.features.system import System
from bluegold.probes.bench import Bench
from bluegold.probes.table import prove
from bluegold.production.operations.sentinel import Account
from bluegold.registry import Registry


class Measured(NamedTuple):
    """The evidence by requirement, the order it was announced in, and the workspace before and after."""

    evidence: dict[str, Evidence]
    announced: tuple[str, ...]
    before: dict[str, str]
    after: dict[str, str]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The definition of a starter system that protects a field and tightens one limit."""
    made = tmp_path_factory.mktemp("starter") / "starter"
    pipeline, plan = skeleton("starter", made)
    text = pipeline.read_text(encoding="utf-8")
    for old, new in (
        ("class Record(bg.Contract):", "class Record(bg.Contract):\n    ward: str = bg.category('north', 'south')"),
        ('    "starter",', '    "starter",\n    protected=("ward",),'),
        ("diagnosis=pl.Series(found.target)", "diagnosis=pl.Series(found.target), ward=WARDS"),
        (
            "@system.source",
            "WARDS = pl.Series(['north', 'south', 'south'] * 189 + ['north', 'south'])\n\n\n@system.source",
        ),
    ):
        assert old in text
        text = text.replace(old, new)
    pipeline.write_text(text, encoding="utf-8")
    limits = "fairness: {min_group: 5}\nrequirements:\n  AP-7: {threshold: 0.999, objective: 0.9999, reason: a test}\n"
    plan.write_text(plan.read_text(encoding="utf-8") + limits, encoding="utf-8")
    return made


@pytest.fixture(scope="session")
def system(folder: Path) -> System:
    return load_system(folder)


@pytest.fixture(scope="session")
def developed(folder: Path, system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one version that nobody delivered."""
    space = Workspace.create(tmp_path_factory.mktemp("developed") / "w")
    with Registry.open(space, actor="ada") as registry:
        develop(system, space, registry, author="ada", folder=folder)
    return space.root


@pytest.fixture(scope="session")
def produced(developed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the version in production, put there without the gates: they are not what is tested here."""
    root = tmp_path_factory.mktemp("produced") / "w"
    shutil.copytree(developed, root)
    with Registry.open(Workspace.open(root), actor="olga") as registry:
        for step in ("Staging", "Canary"):
            registry.lifecycle.transition("starter:v1", step, reason="test")
        registry.promote("starter:v1", reason="test")
    served = Account(since=0.0, watched=86_400.0, answered=86_390.0, rounds=21_600, failed=3)
    (root / "run" / "availability.json").write_bytes(msgspec.json.encode(served))
    return root


@pytest.fixture
def space(produced: Path, tmp_path: Path) -> Workspace:
    """A copy of the workspace that a test may change."""
    shutil.copytree(produced, tmp_path / "w")
    return Workspace.open(tmp_path / "w")


@pytest.fixture
def bench(space: Workspace, system: System) -> Iterator[Bench]:
    with Registry.open(space, actor="olga") as registry, Bench(space, registry, system) as made:
        yield made


def contents(space: Workspace) -> dict[str, str]:
    """What is in a workspace: digest of every file that is not a database's own scratch or evidence."""
    return {
        path.relative_to(space.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(space.root.rglob("*"))
        if path.is_file() and path != space.evidence and not path.name.endswith(("-wal", "-shm", "lock.mdb"))
    }


@pytest.fixture(scope="session")
def measured(produced: Path, system: System, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Every requirement, measured once."""
    root = tmp_path_factory.mktemp("measured") / "w"
    shutil.copytree(produced, root)
    space = Workspace.open(root)
    before = contents(space)
    announced: list[str] = []
    with Registry.open(space, actor="olga") as registry:
        found = prove(Bench(space, registry, system), None, lambda one: announced.append(one.requirement))
    evidence = {one.requirement: one for one in found}
    return Measured(evidence, tuple(announced), before, contents(space))
