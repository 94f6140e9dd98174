"""The workspace: one folder that holds everything a system leaves behind."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from bluegold.core.errors import WorkspaceError
from bluegold.core.settings import settings

__all__ = ["Workspace", "write_atomic"]


class Workspace:
    """Paths inside one workspace folder; creating it checks that it can be written.

    Args:
        root: the folder; it is created by :meth:`create`.

    Example:
        >>> import tempfile
        >>> space = Workspace.create(Path(tempfile.mkdtemp()) / "w")
        >>> space.database.name
        'bluegold.db'
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.database = self.root / "bluegold.db"
        self.objects = self.root / "objects"
        self.keys = self.root / "keys"
        self.online = self.root / "online"
        self.decisions = self.root / "decisions"
        self.runs = self.root / "runs"
        self.run = self.root / "run"
        self.documents = self.root / "documents"
        self.evidence = self.root / "evidence.jsonl"

    @classmethod
    def create(cls, root: Path) -> Workspace:
        """Make (or reuse) the folder and prove that it can be written.

        Raises:
            WorkspaceError: the folder cannot be made or written.
        """
        space = cls(root)
        try:
            space.root.parent.mkdir(parents=True, exist_ok=True)
            space.root.mkdir(mode=0o700, exist_ok=True)  # decisions are nobody else's business on this machine
            for folder in (space.runs, space.run, space.decisions, space.documents):
                folder.mkdir(parents=True, exist_ok=True)
            space.keys.mkdir(mode=0o700, exist_ok=True)
            write_atomic(space.root / ".writable", b"")
        except OSError as error:
            raise WorkspaceError(
                f"workspace '{space.root}' cannot be written",
                why=error.strerror or str(error),
                way_out="choose another folder with --workspace, or fix its owner, rights or free space",
            ) from error
        return space

    @classmethod
    def open(cls, root: Path) -> Workspace:
        """Open a workspace that must exist already.

        Raises:
            WorkspaceError: there is no workspace at ``root``.
        """
        space = cls(root)
        elsewhere = bool(settings().relational_url) and space.keys.is_dir()
        if not space.database.is_file() and not elsewhere:
            raise WorkspaceError(
                f"there is no workspace at '{space.root}'",
                way_out="run 'bluegold develop' or 'bluegold demo' there first, or name another with --workspace",
            )
        return space


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` so that a reader sees the old file or the new one, never half of either.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "x"
        >>> write_atomic(target, b"whole")
        >>> target.read_bytes()
        b'whole'
    """
    name = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # the umask decides who may read it
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        name.replace(path)
    except BaseException:
        name.unlink(missing_ok=True)
        raise
