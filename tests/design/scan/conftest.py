"""A repository grown from a mapping of paths to contents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bluegold.core.nouns import Finding
from bluegold.design.scan import scan

Tree = Mapping[str, str | bytes]


@pytest.fixture
def grow(tmp_path: Path) -> Callable[[Tree], Path]:
    def _grow(files: Tree) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path

    return _grow


@pytest.fixture
def look(grow: Callable[[Tree], Path]) -> Callable[[Tree], tuple[Finding, ...]]:
    """Grow and scan."""
    return lambda files: scan(grow(files))
