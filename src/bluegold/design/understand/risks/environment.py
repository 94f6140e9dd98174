"""The environment: dependencies without a version and no lock beside them, images named by ``latest`` or nothing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from bluegold.design.scan.source import SourceFile
from bluegold.design.understand.activities import Place
from bluegold.design.understand.risks.view import View

__all__ = ["find"]

_REQUIREMENTS = re.compile(r"(?i)requirements?([._-][^/]*)?\.(txt|in)")
_DEVELOPMENT = re.compile(r"(?i)requirements?[._-](dev|test|tests|docs?|lint)[^/]*")
_NAME = re.compile(r"\s*([A-Za-z][\w.-]*)(\[[^\]]*\])?\s*(.*)")
_FROM = re.compile(r"(?i)\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?")
_IMAGE = re.compile(r"""\s*-?\s*["']?image["']?\s*:\s*["']?([\w./:@${}-]+)["']?\s*(?:#.*)?""")
_PIP = re.compile(r"\bpip3?\s+install\s+(?!.*(-r|--requirement|-e|\.\s*$|-c))(.*)")


def find(view: View) -> tuple[Place, ...]:
    """At most three places a file."""
    locked = bool(view.sources.locks)
    found: list[Place] = []
    for file in view.sources.texts:
        found += list(_unpinned(file, locked=locked))[:3]
    pinned = locked or any(_pinned(file) for file in view.sources.texts)
    for file in () if pinned else view.sources.texts:
        found += [
            Place(path=file.path, line=line, shows=f"{name} {wanted or 'in any version'}")
            for name, wanted, line in _asked(file)
            if not wanted.startswith("==")
        ][:3]
    return tuple(found)


def _pinned(file: SourceFile) -> bool:
    """Whether a list of requirements names every package by one version."""
    return bool(_REQUIREMENTS.fullmatch(file.name)) and bool(file.live_lines()) and not any(_requirements(file))


def _asked(file: SourceFile) -> Iterator[tuple[str, str, int]]:
    """(package, versions, line) of what a pyproject.toml or a Pipfile asks for to run, and of no extras."""
    if file.name not in {"pyproject.toml", "Pipfile"}:
        return
    try:
        document = tomllib.loads(file.text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    project, tool = document.get("project"), document.get("tool")
    listed = project.get("dependencies") if isinstance(project, dict) else None
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    keyed = document.get("packages") if file.name == "Pipfile" else None
    if isinstance(poetry, dict):
        keyed = poetry.get("dependencies")
    for item in listed if isinstance(listed, list) else ():
        found = _NAME.fullmatch(str(item).partition(";")[0].strip())
        if found and "@" not in found[3]:
            yield found[1], found[3].replace(" ", ""), file.quoted.get(str(item), 1)
    for name, wanted in keyed.items() if isinstance(keyed, dict) else ():
        if isinstance(wanted, str) and name.lower() != "python":
            exact = re.fullmatch(r"=*\d[\d.]*\w*", wanted)
            yield name, f"=={wanted}" if exact else wanted.replace("*", ""), file.keyed.get(name, 1)


def _unpinned(file: SourceFile, *, locked: bool) -> Iterator[Place]:
    name = file.name.lower()
    if _REQUIREMENTS.fullmatch(name) and not _DEVELOPMENT.fullmatch(name) and not locked:
        yield from _requirements(file)
    elif "dockerfile" in name or "containerfile" in name:
        yield from _dockerfile(file)
    elif name.endswith((".yaml", ".yml")):
        for number, line in enumerate(file.lines, 1):
            found = _IMAGE.fullmatch(line)
            if found and _floating(found[1]) and not _built(file.lines, number - 1):
                yield Place(path=file.path, line=number, shows=f"image {found[1][:80]}")
        if not locked and name in {"environment.yml", "environment.yaml", "conda.yaml", "conda.yml"}:
            yield from _conda(file)


def _built(lines: list[str], at: int) -> bool:
    """Whether the image of a service is the name that its own build is given."""
    indent = len(lines[at]) - len(lines[at].lstrip())
    for step in (-1, 1):
        place = at + step
        while 0 <= place < len(lines):
            line = lines[place]
            depth = len(line) - len(line.lstrip())
            if line.strip() and depth < indent:
                break
            if depth == indent and line.lstrip().startswith("build:"):
                return True
            place += step
    return False


def _requirements(file: SourceFile) -> Iterator[Place]:
    for number, line in enumerate(file.lines, 1):
        text = line.split("#")[0].split(";")[0].strip()
        found = _NAME.fullmatch(text)
        if text and not text.startswith("-") and found and not re.match(r"===?|@", found[3]) and "://" not in text:
            yield Place(path=file.path, line=number, shows=f"{found[1]} {found[3] or 'in any version'}".strip())


def _conda(file: SourceFile) -> Iterator[Place]:
    inside = False
    for number, line in enumerate(file.lines, 1):
        inside = line.startswith("dependencies") or (inside and (line.startswith((" ", "-")) or not line.strip()))
        found = re.fullmatch(r"\s*-\s*([A-Za-z][\w.-]*)\s*([<>].*)?", line)
        if inside and found and found[1] != "pip":
            yield Place(path=file.path, line=number, shows=f"{found[1]} {found[2] or 'in any version'}")


def _dockerfile(file: SourceFile) -> Iterator[Place]:
    stages: set[str] = set()
    for number, line in enumerate(file.lines, 1):
        found = _FROM.match(line)
        if found:
            if found[1] not in stages and found[1] != "scratch" and _floating(found[1]):
                yield Place(path=file.path, line=number, shows=f"FROM {found[1][:80]}")
            stages.add(found[2] or "")
        loose = _PIP.search(line)
        words = [word for word in loose[2].split("&&")[0].split() if not word.startswith(("-", "\\"))] if loose else []
        bare = [word for word in words if re.fullmatch(r"[A-Za-z][\w.-]*(\[[\w,]*\])?", word) and word != "pip"]
        if bare:
            yield Place(path=file.path, line=number, shows=f"pip install {bare[0][:60]} in any version")


def _floating(image: str) -> bool:
    """Whether an image is named by no version, or by one that moves.

    Example:
        >>> [_floating(image) for image in ("python:3.11", "app:latest", "host:5000/app", "x@sha256:ab", "$IMAGE")]
        [False, True, True, False, False]
    """
    if "$" in image or "@" in image or "{" in image:
        return False
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return not colon or tag == "latest"
