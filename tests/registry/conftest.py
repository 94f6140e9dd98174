"""A real registry in a temporary workspace, and versions to put into it.

A module marked ``stores("sqlite", "postgresql")`` runs on each; without the mark it runs on SQLite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bluegold.core.nouns import Lineage, ModelVersion, Stage
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry

WAY: dict[Stage, tuple[Stage, ...]] = {
    "Registered": (),
    "Staging": ("Staging",),
    "Canary": ("Staging", "Canary"),
    "Production": ("Staging", "Canary", "Production"),
}


def lineage(data: str = "d" * 64) -> Lineage:
    return Lineage(
        code="c0ffee",
        data=data,
        features="f" * 64,
        parameters={"num_leaves": 31, "rate": 0.1},
        environment="e" * 64,
        seeds={"numpy": 7},
        run_id="run-1",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mark = metafunc.definition.get_closest_marker("stores")
    if mark and "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", mark.args, indirect=True)


@pytest.fixture
def kind(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The kind of database; on PostgreSQL the registry is a schema of its own on the server."""
    chosen: str = getattr(request, "param", "sqlite")
    if chosen == "postgresql":
        monkeypatch.setenv("BLUEGOLD_RELATIONAL_URL", request.getfixturevalue("postgresql")())
    return chosen


@pytest.fixture
def space(tmp_path: Path, kind: str) -> Workspace:
    return Workspace.create(tmp_path / "workspace")


@pytest.fixture
def registry(space: Workspace) -> Iterator[Registry]:
    with Registry.open(space, actor="ada") as opened:
        yield opened


@pytest.fixture
def add(registry: Registry) -> Callable[..., ModelVersion]:
    """Register the next version of a model and bring it to a stage."""
    count = 0

    def make(stage: Stage = "Registered", model: str = "flights", **artefacts: bytes) -> ModelVersion:
        nonlocal count
        count += 1
        files = {"notes.txt": b"version %d" % count, **{k.replace("_", "."): v for k, v in artefacts.items()}}
        version = registry.versions.register(model, files, lineage(), {"auc": 0.9}, author="ada")
        for step in WAY[stage]:
            registry.lifecycle.transition(version.ref, step, reason="test")
        return registry.versions.get(version.ref)

    return make
