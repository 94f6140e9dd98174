"""The archive: byte-identical copies of results and log segments, each proven before anything relies on it.

A copy is written beside its place, flushed, named, read again and held against the digest of its source; then one line
of the manifest says that it is there.  What no line names is not archived.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from bluegold.core.errors import IntegrityError, WorkspaceError
from bluegold.core.workspace import Workspace

__all__ = ["Archive", "Archived"]

KEPT_FREE = {"decisions", "results", "objects", "keys", "online", "run", "runs"}


class Archived(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the manifest.

    ``path`` is the file's place in the workspace, ``oldest`` and ``newest`` the moments it tells of (microseconds since
    1970), ``rows`` how many decisions, outcomes or lines it holds.  A line with ``deleted`` takes an earlier one back.
    """

    path: str
    sha256: str
    size: int
    rows: int
    oldest: int
    newest: int
    deleted: bool = False


class Archive:
    """Copies below one folder, in the order of the workspace.

    Args:
        workspace: whose results.
        folder: the plan's ``retention.archive``: below the workspace, or absolute.

    Raises:
        WorkspaceError: the folder is one that the workspace uses itself.

    Example:
        >>> import tempfile
        >>> space = Workspace.create(Path(tempfile.mkdtemp()) / "w")
        >>> _ = (space.root / "note.txt").write_text("kept")
        >>> archive = Archive(space, "archive")
        >>> archive.add("note.txt", rows=1, span=(0, 0)).size, archive.verify()
        (4, 1)
    """

    def __init__(self, workspace: Workspace, folder: str) -> None:
        self._workspace = workspace.root
        self.root = (workspace.root / folder).resolve()
        inside = self.root.relative_to(workspace.root).parts if self.root.is_relative_to(workspace.root) else ("",)
        if not inside or inside[0] in KEPT_FREE:
            raise WorkspaceError(
                f"'{self.root}' cannot be the archive", why="the workspace uses it", way_out="name another folder"
            )
        self._manifest = self.root / "manifest.jsonl"

    @property
    def items(self) -> dict[str, Archived]:
        """What is archived, by its place in the workspace."""
        try:
            raw = self._manifest.read_bytes()
        except FileNotFoundError:
            return {}
        found: dict[str, Archived] = {}
        for line in raw[: raw.rfind(b"\n") + 1].splitlines():
            one = msgspec.json.decode(line, type=Archived)
            if one.deleted:
                found.pop(one.path, None)
            else:
                found[one.path] = one
        return found

    def place(self, path: str) -> Path:
        """Where the copy of a file of the workspace is."""
        return self.root / path

    def add(self, path: str, *, rows: int, span: tuple[int, int], sha256: str = "") -> Archived:
        """Copy a file of the workspace and prove the copy.

        Args:
            path: its place below the workspace's root.
            rows: what it holds.
            span: the first and the last moment it tells of.
            sha256: what its digest has to be, where that is known.

        Raises:
            IntegrityError: the file is not what it was when it was written, or the copy is not the file.
            OSError: it cannot be written.
        """
        source, target = self._workspace / path, self.place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        pending = target.with_name(f".{target.name}.pending")
        shutil.copyfile(source, pending)
        with pending.open("rb+") as file:
            os.fsync(file.fileno())
        pending.chmod(0o600)
        pending.replace(target)
        _flush(target.parent)
        digest = _digest(source)
        if _digest(target) != digest or (sha256 and digest != sha256):
            raise IntegrityError(f"'{source}' is not what was written", way_out="restore it before it is archived")
        size = target.stat().st_size
        made = Archived(path=path, sha256=digest, size=size, rows=rows, oldest=span[0], newest=span[1])
        self._note(made)
        return made

    def delete(self, path: str) -> None:
        """Remove a copy for good: first its line, then its bytes."""
        self._note(msgspec.structs.replace(self.items[path], deleted=True))
        self.place(path).unlink(missing_ok=True)

    def check(self, path: str) -> Archived:
        """Read one copy again.

        Raises:
            IntegrityError: it is missing or was changed.
        """
        known = self.items.get(path)
        target = self.place(path)
        if known is None or not target.is_file() or _digest(target) != known.sha256:
            raise IntegrityError(
                f"the archive does not hold '{path}' as it was", way_out="restore the archive from its own backup"
            )
        return known

    def verify(self) -> int:
        """Read every copy again; how many there are.

        Raises:
            IntegrityError: one is missing or was changed.
        """
        for path in self.items:
            self.check(path)
        return len(self.items)

    def decisions(self) -> pl.LazyFrame:
        """All archived decisions, to be queried lazily; without any a frame without columns."""
        files = [self.place(path) for path in self.items if path.startswith("results/decisions/")]
        return pl.scan_parquet(files, missing_columns="insert") if files else pl.LazyFrame()

    def _note(self, item: Archived) -> None:
        if self._manifest.is_file():
            raw = self._manifest.read_bytes()
            if not raw.endswith(b"\n"):
                os.truncate(self._manifest, raw.rfind(b"\n") + 1)
        with self._manifest.open("ab") as manifest:
            manifest.write(msgspec.json.encode(item) + b"\n")
            manifest.flush()
            os.fsync(manifest.fileno())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        found: Any = hashlib.file_digest(file, "sha256")
    return str(found.hexdigest())


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
