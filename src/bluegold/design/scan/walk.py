"""Walking a tree that nobody vouches for: no links followed, nothing outside the root, bounded in every direction."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

__all__ = ["Entry", "Limits", "read_bytes", "walk"]

#: folders that hold tools' own state or an installed environment, never the project's code
SKIPPED_FOLDERS = frozenset(
    [
        *(".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", ".tox", ".nox", ".mypy_cache", ".eggs"),
        *(".ruff_cache", ".pytest_cache", ".hypothesis", ".terraform", ".ipynb_checkpoints", ".idea", "__MACOSX"),
        *("site-packages", "dist-packages"),
    ]
)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one scan; what lies beyond them is skipped and counted.

    Args:
        max_bytes: size of a file that is still read (notebooks: ``max_notebook_bytes``, their outputs are big).
        max_files: files looked at.
        max_depth: folders below the root.
        max_findings: findings kept.
    """

    max_bytes: int = 2_000_000
    max_notebook_bytes: int = 16_000_000
    max_files: int = 200_000
    max_depth: int = 60
    max_findings: int = 50_000


class Entry(NamedTuple):
    """A regular file below the root: its path for people and for the system, and its size."""

    path: str
    native: str
    size: int


def walk(root: Path, limits: Limits, skipped: Counter[str]) -> Iterator[Entry]:
    """The regular files below a folder in a fixed order, links never followed.

    Args:
        root: the folder.
        limits: where to stop.
        skipped: reason -> how many; counted up here.
    """
    seen = 0
    pending: list[tuple[str, str, int]] = [(os.fspath(root), "", 0)]
    while pending:
        native, prefix, depth = pending.pop()
        folders: list[tuple[str, str, int]] = []
        for entry in _listing(native, skipped):
            path = prefix + _printable(entry.name)
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError:
                skipped["unreadable"] += 1
                continue
            if stat.S_ISLNK(found.st_mode):
                skipped["link"] += 1
            elif stat.S_ISDIR(found.st_mode):
                if _environment(entry):
                    skipped["environment folder"] += 1
                elif depth >= limits.max_depth:
                    skipped["too deep"] += 1
                else:
                    folders.append((entry.path, path + "/", depth + 1))
            elif not stat.S_ISREG(found.st_mode):
                skipped["not a file"] += 1
            elif seen >= limits.max_files:
                skipped["over the file limit"] += 1
            else:
                seen += 1
                yield Entry(path, entry.path, found.st_size)
        pending.extend(reversed(folders))


def read_bytes(entry: Entry, skipped: Counter[str]) -> bytes | None:
    """The content of a file, or nothing when it cannot be read; a link put in its place is not followed."""
    try:
        handle = os.open(entry.native, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        skipped["unreadable"] += 1
        return None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            skipped["not a file"] += 1
            return None
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(entry.size + 1)
    except OSError:
        skipped["unreadable"] += 1
        return None
    finally:
        os.close(handle)


def _listing(folder: str, skipped: Counter[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        skipped["unreadable"] += 1
        return []


def _environment(entry: os.DirEntry[str]) -> bool:
    if entry.name in SKIPPED_FOLDERS or entry.name.endswith(".egg-info"):
        return True
    return any(os.path.lexists(f"{entry.path}/{sign}") for sign in ("pyvenv.cfg", "conda-meta"))


def _printable(name: str) -> str:
    text = os.fsencode(name).decode("utf-8", errors="replace")
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
