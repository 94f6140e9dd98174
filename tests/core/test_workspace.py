"""A workspace is whole or clearly refused, and a file in it is never half written."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bluegold.core.errors import WorkspaceError
from bluegold.core.workspace import Workspace, write_atomic


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "space").write_text("a file")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        Workspace.create(tmp_path / "space")


def test_keys_are_private(tmp_path: Path) -> None:
    space = Workspace.create(tmp_path / "space")
    assert space.keys.stat().st_mode & 0o077 == 0


def test_opening_what_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="bluegold develop"):
        Workspace.open(tmp_path)


def test_no_right_to_write() -> None:
    with pytest.raises(WorkspaceError, match="cannot be written"):
        Workspace.create(Path("/proc/space"))  # not even root may make folders there


def test_a_killed_writer_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    target = tmp_path / "x"
    write_atomic(target, b"a" * 4_000_000)
    code = (
        "import sys; from pathlib import Path; from bluegold.core.workspace import write_atomic\n"
        "while True:\n    for letter in (b'b', b'a'):\n        write_atomic(Path(sys.argv[1]), letter * 4_000_000)"
    )
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", code, str(target)])
        time.sleep(0.3)
        writer.kill()
        writer.wait()
        found = target.read_bytes()
        assert found in (b"a" * 4_000_000, b"b" * 4_000_000)
