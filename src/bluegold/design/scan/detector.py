"""A detector is one table of `detectors/*.toml`: which signs show a technology, of what kind, in which section."""

from __future__ import annotations

import functools
import importlib.metadata
import tomllib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from bluegold.core.errors import DefinitionError
from bluegold.core.nouns import Section

__all__ = ["GUESTS", "Detector", "FileSign", "built_in", "guests", "read_detectors", "vocabulary"]

TABLES = Path(__file__).parent / "detectors"
#: group of entry points by which an installed package brings detectors
GUESTS = "bluegold.detectors"
#: kinds whose files describe something that runs somewhere
DEPLOYED = frozenset({"container", "cluster", "serving", "cd", "gateway", "infrastructure"})


class FileSign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that shows a technology by its name and, mostly, by a line that is not commented out.

    Args:
        path: glob; without a slash it is held against the file's name, ``**/`` means at any depth.
        has: regular expression that a line must match.
        also: second expression that another line must match.
        binary: the name is enough, the content is never read.
        unless: name of a file in the folder above or beside it that makes the sign mean something else.
    """

    path: str
    has: str = ""
    also: str = ""
    binary: bool = False
    unless: str = ""


class Detector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One technology and its signs.

    Args:
        technology: slug, as the project writes itself in lower case.
        kind: what it is for (framework, orchestrator, serving, relational-store ...).
        section: the section of the method it belongs to.
        imports: dotted module names; a prefix is enough.
        calls: dotted names; ``.method`` on any object; ``name(text)`` with the first argument,
            ``name(text:/)`` with what it begins with, ``name(key=)`` with a keyword.
        packages: names in dependency files (``npm:`` and ``go:`` for other languages).
        images: container images without tag; a registry host may be left out.
        charts: Helm charts.  resources: ``group/Kind`` of cluster manifests.
        urls: schemes of addresses.  env: environment variables.
        settings: ``key.path=value`` tails in configuration files.
        texts: literal text in code strings, SQL or configuration.
        terraform, actions, commands, files: resource types, CI actions, command lines, files.
        names: words of prose in any case.  exact: words of prose that only count as written.
    """

    technology: str
    kind: str
    section: Section
    imports: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    terraform: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    files: tuple[FileSign, ...] = ()
    names: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()


def read_detectors(path: Path) -> tuple[Detector, ...]:
    """Read one file of detectors; a guest's file has the same form as the built-in ones.

    Args:
        path: TOML with ``kind`` and ``section`` for all, and one table per technology.

    Raises:
        DefinitionError: the file is missing, no TOML, or has a key no detector knows.

    Example:
        >>> [row.kind for row in read_detectors(TABLES / "features.toml")][0]
        'feature-store'
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        common = {key: value for key, value in document.items() if not isinstance(value, dict)}
        rows = {key: value for key, value in document.items() if isinstance(value, dict)}
        return tuple(msgspec.convert({"technology": slug} | common | row, Detector) for slug, row in rows.items())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise DefinitionError(
            f"detectors '{path}' cannot be read", why=str(error), way_out="compare it with the built-in tables"
        ) from error


@functools.cache
def built_in() -> tuple[Detector, ...]:
    """The built-in detectors in a fixed order."""
    return tuple(row for path in sorted(TABLES.glob("*.toml")) for row in read_detectors(path))


@functools.cache
def guests() -> tuple[Detector, ...]:
    """Detectors of installed packages: each entry point of :data:`GUESTS` gives the path of a TOML file.

    Only what is installed beside bluegold is asked; a scanned repository cannot bring detectors of its own.

    Raises:
        DefinitionError: an entry point cannot be loaded or its file cannot be read.
    """
    rows: list[Detector] = []
    for point in sorted(importlib.metadata.entry_points(group=GUESTS), key=lambda item: item.name):
        try:
            path = Path(point.load())
        except (ImportError, AttributeError, TypeError) as error:
            raise DefinitionError(
                f"the detectors of '{point.name}' cannot be loaded",
                why=str(error),
                way_out=f"let the entry point '{point.value}' name the path of a TOML file, or uninstall that package",
            ) from error
        rows.extend(read_detectors(path))
    return tuple(rows)


def vocabulary(detectors: Iterable[Detector] = ()) -> dict[str, tuple[str, ...]]:
    """Kind -> the slugs that findings may carry, both sorted.

    Example:
        >>> "pytorch" in vocabulary()["framework"]
        True
    """
    kinds: dict[str, set[str]] = {}
    for row in tuple(detectors) or built_in():
        kinds.setdefault(row.kind, set()).add(row.technology)
    return {kind: tuple(sorted(kinds[kind])) for kind in sorted(kinds)}
