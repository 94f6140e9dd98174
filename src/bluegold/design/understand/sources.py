"""Sources: the system's own code and settings, read once for everything that understanding looks at."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import msgspec

from bluegold.design.scan.quiet import uncollected
from bluegold.design.scan.source import SourceFile, decode, scope_of
from bluegold.design.scan.walk import Entry, Limits, read_bytes, walk
from bluegold.design.understand.activities import relevant
from bluegold.design.understand.code import Module, read_module

__all__ = ["Sources", "read_sources"]

_SETTINGS = re.compile(
    r"(?i).*\.(ya?ml|toml|ini|cfg|conf|env|properties|tf|tfvars|json|sh|py|ipynb|txt|in)|\.env.*|env\.[a-z]+"
    r"|(dockerfile|containerfile)([._-].*)?|.*\.dockerfile|makefile|pipfile|procfile"
)
_LOCKS = re.compile(
    r"(?i).*\.lock|package-lock\.json|conda-lock\.ya?ml|.*requirements?[^/]*[._-](lock|locked|frozen|freeze|pinned)\.txt"
    r"|constraints[^/]*\.txt|pnpm-lock\.yaml|pylock.*\.toml"
)
_MAX = 1_000_000


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """The system's own files: no tests, examples or vendored copies among ``modules`` and ``texts``.

    ``tests`` and ``locks`` are paths; ``files`` counts everything that was seen.
    """

    modules: tuple[Module, ...]
    texts: tuple[SourceFile, ...]
    tests: tuple[str, ...]
    locks: tuple[str, ...]
    files: int


def read_sources(root: Path, limits: Limits | None = None) -> Sources:
    """Read a code base; nothing of it is run, links are not followed, what cannot be read is passed over."""
    skipped: Counter[str] = Counter()
    modules: list[Module] = []
    texts: list[SourceFile] = []
    tests: list[str] = []
    locks: list[str] = []
    bounds = limits or Limits()
    entries = list(walk(root, bounds, skipped))
    alone = not any(scope_of(entry.path) == "main" and entry.path.endswith((".py", ".ipynb")) for entry in entries)
    with uncollected():
        for entry in entries:
            name = entry.path.rpartition("/")[2]
            scope = scope_of(entry.path)
            if scope == "test":
                tests.append(entry.path)
            if _LOCKS.fullmatch(name):
                locks.append(entry.path)
            elif _SETTINGS.fullmatch(name) and (scope == "main" or (alone and scope == "example")):
                _take(entry, bounds, (modules, texts), skipped)
    return Sources(
        modules=tuple(modules), texts=tuple(texts), tests=tuple(tests), locks=tuple(locks), files=len(entries)
    )


def _take(entry: Entry, limits: Limits, into: tuple[list[Module], list[SourceFile]], skipped: Counter[str]) -> None:
    notebook = entry.path.endswith(".ipynb")
    if entry.size > (limits.max_notebook_bytes if notebook else _MAX):
        return
    data = read_bytes(entry, skipped)
    text = decode(data) if data else None
    if text is None:
        return
    if notebook or entry.path.endswith(".py"):
        module = read_module(entry.path, text, relevant())
        if module is not None:
            into[0].append(module)
    if not notebook:
        into[1].append(SourceFile(entry.path, text))
