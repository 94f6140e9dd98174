"""The system under test, read from its folder like a user's, and an empty workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import bluegold as bg
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry

FOLDER = Path(__file__).parent / "machines"


@pytest.fixture(scope="session")
def folder() -> Path:
    return FOLDER


@pytest.fixture(scope="session")
def machines() -> Callable[[], bg.System]:
    """Makes the system anew, so that a test may change its own."""
    return lambda: bg.load_system(FOLDER)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "w")


@pytest.fixture
def registry(workspace: Workspace) -> Iterator[Registry]:
    with Registry.open(workspace, actor="ada") as opened:
        yield opened
