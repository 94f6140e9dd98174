"""Requirement lists and the tables of packages in other formats: what a project says it needs."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from bluegold.design.scan.readers.names import package_signals
from bluegold.design.scan.signals import Signal
from bluegold.design.scan.source import SourceFile

__all__ = ["read_pipfile", "read_pyproject", "read_requirements", "read_setup_cfg"]

_VIA_DIRECT = re.compile(r"-r |\(pyproject\.toml\)|\(setup\.(py|cfg)\)|\.in\b|\(.*toml\)")
#: pyproject tables whose keys, or whose lists, name packages
_KEYED = (
    ("tool", "poetry", "dependencies"),
    ("tool", "poetry", "dev-dependencies"),
    ("tool", "pixi", "dependencies"),
    ("tool", "pixi", "pypi-dependencies"),
)
_GROUPED = (
    ("project", "optional-dependencies"),
    ("dependency-groups",),
    ("tool", "pdm", "dev-dependencies"),
    ("tool", "hatch", "envs"),
)


def read_requirements(file: SourceFile) -> Iterator[Signal]:
    """Signals of a requirements file; pins that another package brought in are no declarations."""
    lines = file.lines
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith(("#", "-")) or "://" in text.partition("@")[0]:
            continue
        if _transitive(lines, number):
            continue
        yield from package_signals(re.split(r"\s#|;", text)[0], number)


def _transitive(lines: list[str], number: int) -> bool:
    """Whether the ``# via`` note of a compiled list names only other packages."""
    notes: list[str] = []
    if "# via" in lines[number - 1]:
        notes.append(lines[number - 1].partition("# via")[2])
    for line in lines[number : number + 60]:
        text = line.strip()
        if text.startswith("--hash"):
            continue
        if not text.startswith("#"):
            break
        notes.append(text.lstrip("# ").removeprefix("via"))
    named = [note for note in notes if note.strip()]
    via = any("via" in line for line in lines[number - 1 : number + 3] if "#" in line)
    return via and bool(named) and not any(_VIA_DIRECT.search(note) for note in named)


def read_pyproject(file: SourceFile) -> Iterator[Signal]:
    """Signals of the dependency tables of a pyproject.toml."""
    document = _toml(file.text)
    for requirement in _strings(_table(document, ("project",)).get("dependencies")):
        yield from _placed(file, requirement)
    for path in _GROUPED:
        for group in _table(document, path).values():
            items = group.get("dependencies") if isinstance(group, dict) else group
            for requirement in _strings(items):
                yield from _placed(file, requirement)
    groups = _table(document, ("tool", "poetry", "group")).values()
    tables = [group.get("dependencies") for group in groups if isinstance(group, dict)]
    for table in (*tables, *(_table(document, path) for path in _KEYED)):
        yield from _keys(file, table)
    for requirement in _strings(_table(document, ("tool", "uv")).get("dev-dependencies")):
        yield from _placed(file, requirement)


def read_pipfile(file: SourceFile) -> Iterator[Signal]:
    """Signals of a Pipfile."""
    document = _toml(file.text)
    for name in ("packages", "dev-packages"):
        yield from _keys(file, document.get(name))


def read_setup_cfg(file: SourceFile) -> Iterator[Signal]:
    """Signals of the requirement options of a setup.cfg."""
    section = option = ""
    for number, line in enumerate(file.lines, 1):
        text = line.strip()
        if not text or text.startswith(("#", ";")):
            continue
        if text.startswith("["):
            section, option = text.strip("[]"), ""
        elif line[0] not in " \t" and "=" in line:
            option, _, text = (part.strip() for part in line.partition("="))
        wanted = (section == "options" and option in {"install_requires", "setup_requires", "tests_require"}) or (
            section == "options.extras_require"
        )
        if wanted and option and text and not text.startswith("["):
            for requirement in text.split(";")[0].split(","):
                yield from package_signals(requirement, number)


def _toml(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _table(document: dict[str, object], path: tuple[str, ...]) -> dict[str, object]:
    node: object = document
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _keys(file: SourceFile, table: object) -> Iterator[Signal]:
    if isinstance(table, dict):
        for name, value in table.items():
            extras = value.get("extras") if isinstance(value, dict) else None
            joined = ",".join(_strings(extras))
            if str(name).lower() != "python":
                yield from _placed(file, f"{name}[{joined}]" if joined else str(name))


def _placed(file: SourceFile, requirement: str) -> Iterator[Signal]:
    """The requirement's signals at the first line that names it and is no comment."""
    for signal in package_signals(requirement, 1):
        name = signal.detail.removeprefix("package ").partition("[")[0]
        yield signal._replace(line=file.words.get(name, 1))
