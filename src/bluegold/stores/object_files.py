"""Object store on plain files: content-addressed, written whole or not at all, verified on every read."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from bluegold.core.errors import IntegrityError, StoreError
from bluegold.core.workspace import write_atomic

__all__ = ["ObjectFiles"]

_DIGEST = re.compile(r"[0-9a-f]{64}")


class ObjectFiles:
    """Objects as files ``<root>/ab/<sha256>``.

    Args:
        root: folder of the objects; made when missing.

    Raises:
        StoreError: the folder cannot be made, read or written.

    Example:
        >>> import tempfile
        >>> store = ObjectFiles(Path(tempfile.mkdtemp()) / "objects")
        >>> digest = store.put(b"a model")
        >>> store.get(digest)
        b'a model'
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._do(lambda: root.mkdir(parents=True, exist_ok=True))

    def put(self, data: bytes) -> str:
        """Keep ``data`` (fsynced, then renamed into place) and return its sha256 in hex.

        Raises:
            StoreError: the disk is full or the folder cannot be written.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self.path(digest)
        if not (path.is_file() and path.stat().st_size == len(data)):
            self._do(lambda: self._write(path, data))
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of ``digest``.

        Raises:
            IntegrityError: the object is missing or its content is not what its name says.
            StoreError: the file cannot be read.
        """
        path = self.path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise IntegrityError(
                f"object {digest[:12]} is missing",
                why=f"'{path}' does not exist",
                way_out="restore it from a backup",
                subject=digest,
            ) from error
        except OSError as error:
            raise self._error(error) from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise IntegrityError(
                f"object {digest[:12]} was changed",
                why=f"the content of '{path}' does not have the sha256 in its name",
                way_out="restore it from a backup",
                subject=digest,
            )
        return data

    def has(self, digest: str) -> bool:
        """Whether the object exists (its content is not read)."""
        return self.path(digest).is_file()

    def delete(self, digest: str) -> bool:
        """Remove the object; whether it was there."""
        path = self.path(digest)
        there = path.is_file()
        self._do(lambda: path.unlink(missing_ok=True))
        return there

    def digests(self) -> Iterator[str]:
        """The digests of all objects, in ascending order."""
        for folder in sorted(self.root.iterdir()):
            if folder.is_dir():
                yield from sorted(item.name for item in folder.iterdir() if _DIGEST.fullmatch(item.name))

    def path(self, digest: str) -> Path:
        """Where the object's file is (it may not exist).

        Raises:
            StoreError: ``digest`` is not a sha256 in hex.
        """
        if not _DIGEST.fullmatch(digest):
            raise StoreError(f"'{digest[:80]}' is not a sha256 digest", way_out="give 64 lower-case hex digits")
        return self.root / digest[:2] / digest

    def ping(self) -> None:
        """Write and remove a small file; raises ``StoreError`` when that fails."""
        probe = self.root / f".ping-{os.getpid()}"
        self._do(lambda: write_atomic(probe, b"ping"))
        self._do(lambda: probe.unlink(missing_ok=True))

    def close(self) -> None:
        """Nothing is held open."""

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, data)
        for folder in (path.parent, self.root):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def _do(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> StoreError:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        return StoreError(
            f"object store '{self.root}' cannot be used",
            why=error.strerror or str(error),
            way_out="free some space" if full else "check that the folder exists and its owner and rights",
        )
