"""Partitions: Parquet files that arrive exactly once, in folders any query engine reads.

A batch of frames becomes visible with one line of the manifest.  Files are written and flushed under another ending
first; the line names them; then they get their name.  A writer that is killed in between is finished or forgotten by
the next one, so that what a query sees is always what some line says.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from bluegold.core.errors import IntegrityError, StoreError

__all__ = ["Batch", "Part", "Partitions"]

PENDING = ".pending"
BLOCK = 1024 * 1024
#: How long a reader that has caught up with a writer waits before it looks again.
PAUSE_S = 0.002


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file: its place below the root, its rows and the sha256 of its bytes."""

    path: str
    rows: int
    sha256: str


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the manifest: the files that came together, and how far the source was read with them.

    ``positions`` names what the lines before it do not say already; what a later line says counts.
    """

    number: int
    parts: tuple[Part, ...]
    positions: dict[str, int]


class Partitions:
    """Files below one folder and the manifest that says which of them count.

    Args:
        root: the folder; made when missing.

    Example:
        >>> import tempfile
        >>> parts = Partitions(Path(tempfile.mkdtemp()))
        >>> with parts.writing():
        ...     _ = parts.add({"day=2024-05-01": pl.DataFrame({"a": [1, 2]})}, {"source": 2})
        >>> parts.scan().collect().height, parts.positions
        (2, {'source': 2})
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._manifest = root / "manifest.jsonl"
        self._written: tuple[int, dict[str, int]] | None = None  # lines and positions, while this is the only writer

    @property
    def batches(self) -> tuple[Batch, ...]:
        """What has arrived, oldest first."""
        try:
            raw = self._manifest.read_bytes()
        except FileNotFoundError:
            return ()
        return tuple(msgspec.json.decode(line, type=Batch) for line in raw[: raw.rfind(b"\n") + 1].splitlines())

    @property
    def positions(self) -> dict[str, int]:
        """How far the source was read."""
        return _together(self.batches)

    def files(self) -> list[Path]:
        """Every file that counts and is here, oldest first."""
        away = self.away
        return [self.root / part.path for batch in self.batches for part in batch.parts if part.path not in away]

    @property
    def away(self) -> frozenset[str]:
        """Files that were moved to the archive."""
        try:
            return frozenset((self.root / "away.txt").read_text(encoding="utf-8").splitlines())
        except FileNotFoundError:
            return frozenset()

    def send_away(self, path: str) -> None:
        """Remove a file that the archive holds; call it inside :meth:`writing`.

        Raises:
            OSError: it cannot be removed; a file that is noted and still here is removed by the next call.
        """
        if path not in self.away:
            with (self.root / "away.txt").open("a", encoding="utf-8") as noted:
                noted.write(f"{path}\n")
                noted.flush()
                os.fsync(noted.fileno())
        (self.root / path).unlink(missing_ok=True)

    def scan(self) -> pl.LazyFrame:
        """All rows, to be queried lazily; without rows a frame without columns."""
        groups: dict[Path, list[Path]] = {}
        for path in self.files():
            if path.is_file():
                groups.setdefault(path.parent.parent, []).append(path)
        some = [pl.scan_parquet(files, missing_columns="insert") for files in groups.values()]
        if not some:
            return pl.LazyFrame()
        return some[0] if len(some) == 1 else pl.concat(some, how="diagonal_relaxed")  # versions differ in columns

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer; what a killed one left is finished or removed first.

        Raises:
            StoreError: another process writes.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreError(f"another process writes '{self.root}'", way_out="wait until it is done") from error
            batches = self._recover()
            self._written = len(batches), _together(batches)
            try:
                yield
            finally:
                self._written = None

    def add(self, frames: Mapping[str, pl.DataFrame], positions: Mapping[str, int]) -> Batch:
        """Make frames visible together.

        Args:
            frames: rows by partition, for example ``model=m/version=v1/day=2024-05-01``.
            positions: how far the source was read with them; what is not named stays where it was.

        Raises:
            OSError: they cannot be written; nothing became visible.
        """
        number, before = self._written or (len(self.batches), self.positions)
        parts = []
        for folder, frame in sorted(frames.items()):
            path = self.root / folder / f"part-{number:06d}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pending = path.with_suffix(PENDING)
            with pending.open("wb") as file, ThreadPoolExecutor(1) as beside:
                written = threading.Event()
                digest = beside.submit(_digest_behind, pending, written)
                try:
                    frame.write_parquet(file, compression="lz4")
                    file.flush()
                finally:
                    written.set()
                os.fsync(file.fileno())
            parts.append(Part(path=f"{folder}/{path.name}", rows=frame.height, sha256=digest.result()))
        new = {source: place for source, place in positions.items() if before.get(source) != place}
        batch = Batch(number=number, parts=tuple(parts), positions=new)
        with self._manifest.open("ab") as manifest:
            manifest.write(msgspec.json.encode(batch) + b"\n")
            manifest.flush()
            os.fsync(manifest.fileno())
        if self._written is not None:
            before.update(new)
            self._written = number + 1, before
        self._name(batch)
        return batch

    def verify(self) -> int:
        """Read every file again and hold it against its sha256; how many there are.

        Raises:
            IntegrityError: a file is missing or was changed.
        """
        seen, away = 0, self.away
        for batch in self.batches:
            for part in batch.parts:
                path = self.root / part.path
                if part.path in away:
                    continue
                if not path.is_file() or _digest(path) != part.sha256:
                    raise IntegrityError(
                        f"'{path}' is not what was written", way_out="restore it, or export again into an empty folder"
                    )
                seen += 1
        return seen

    def _name(self, batch: Batch) -> None:
        for part in batch.parts:
            path = self.root / part.path
            pending = path.with_suffix(PENDING)
            if pending.is_file():
                pending.replace(path)

    def _recover(self) -> tuple[Batch, ...]:
        if self._manifest.is_file():
            raw = self._manifest.read_bytes()
            if not raw.endswith(b"\n"):
                os.truncate(self._manifest, raw.rfind(b"\n") + 1)
        batches = self.batches
        if batches:
            self._name(batches[-1])
        for left in self.root.rglob(f"*{PENDING}"):
            left.unlink()
        return batches


def _together(batches: Iterable[Batch]) -> dict[str, int]:
    found: dict[str, int] = {}
    for batch in batches:
        found.update(batch.positions)
    return found


def _digest_behind(path: Path, written: threading.Event) -> str:
    """The digest of a file that is being written from its beginning to its end, block behind block."""
    found = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while True:
            whole = written.is_set()  # asked before the end is looked for
            while block := file.read(BLOCK):
                found.update(block)
            if whole:
                return found.hexdigest()
            written.wait(PAUSE_S)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        found: Any = hashlib.file_digest(file, "sha256")
    return str(found.hexdigest())
