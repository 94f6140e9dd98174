"""Files that show a technology by where they lie, what they are called and one line they hold."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bluegold.design.scan.detector import DEPLOYED, Detector, FileSign
from bluegold.design.scan.signals import EvidenceKind, Signal
from bluegold.design.scan.source import SourceFile, becomes

__all__ = ["Layouts"]


class _Row(NamedTuple):
    sign: FileSign
    base: re.Pattern[str]
    path: re.Pattern[str]
    has: re.Pattern[str]
    also: re.Pattern[str]
    detector: Detector


class Layouts:
    """The file signs of all detectors.

    Args:
        detectors: the rows.
        paths: every path of the repository, for signs that depend on a neighbour.
    """

    def __init__(self, detectors: tuple[Detector, ...], paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self._rows = _rows(detectors)
        self._exact: dict[str, list[_Row]] = {}
        for row in self._rows:
            self._exact.setdefault(row.sign.path.rpartition("/")[2], []).append(row)
        self._globs = [row for row in self._rows if set(row.sign.path.rpartition("/")[2]) & set("*[")]
        self._by_name: dict[str, list[_Row]] = {}

    def names_only(self, path: str) -> Iterator[Signal]:
        """Signals of a file whose content is not read."""
        for row in self._candidates(path):
            if row.sign.binary and not self._unless(row, path):
                yield _signal(row, 1, path)

    def read(self, file: SourceFile) -> Iterator[Signal]:
        """Signals of a text file: the line that shows it, comments left out."""
        rows = [row for row in self._candidates(file.path) if not self._unless(row, file.path)]
        for row in rows:
            if not row.sign.has:
                if file.live_lines() or row.sign.binary:
                    yield _signal(row, 1, file.path)
                continue
            line = _first(file, row.has)
            if line and (not row.sign.also or _first(file, row.also)):
                yield _signal(row, line, file.path)

    def _candidates(self, path: str) -> list[_Row]:
        path = becomes(path)
        name = path.rpartition("/")[2]
        known = self._by_name.get(name)
        if known is None:
            known = self._exact.get(name, []) + [row for row in self._globs if row.base.fullmatch(name)]
            if len(self._by_name) < 50_000:
                self._by_name[name] = known
        return [row for row in known if row.path.fullmatch(path)]

    def _unless(self, row: _Row, path: str) -> bool:
        if not row.sign.unless:
            return False
        folders = path.split("/")[:-1]
        return any("/".join([*folders[:end], row.sign.unless]) in self._paths for end in range(len(folders) + 1))


@functools.lru_cache(maxsize=4)
def _rows(detectors: tuple[Detector, ...]) -> tuple[_Row, ...]:
    return tuple(
        _Row(sign, _base(sign.path), _glob(sign.path), _line(sign.has), _line(sign.also), row)
        for row in detectors
        for sign in row.files
    )


def _signal(row: _Row, line: int, path: str) -> Signal:
    evidence: EvidenceKind = "deployment" if row.detector.kind in DEPLOYED else "configuration"
    slot = f"{row.detector.kind}/{row.detector.technology}"
    return Signal("file", slot, line, f"file {path.rpartition('/')[2]}", evidence=evidence)


def _first(file: SourceFile, pattern: re.Pattern[str]) -> int:
    if not pattern.search(file.text):
        return 0
    marked = file.path.endswith((".yaml", ".yml"))
    for number, line in enumerate(file.lines, 1):
        if line.lstrip().startswith(("#", "//", ";")) and not (marked and line.startswith("# PIPELINE DEFINITION")):
            continue
        if pattern.search(line):
            return number
    return 0


def _glob(pattern: str) -> re.Pattern[str]:
    """A glob over the whole path: ``**/`` any depth, ``*`` within one folder, no slash means any folder."""
    if "/" not in pattern:
        return re.compile(r"(?:.*/)?" + _segment(pattern))
    deep = pattern.startswith("**/")
    body = "/".join(_segment(part) for part in pattern.removeprefix("**/").split("/"))
    return re.compile((r"(?:.*/)?" if deep else "") + body)


def _base(pattern: str) -> re.Pattern[str]:
    return re.compile(_segment(pattern.rpartition("/")[2]))


def _segment(part: str) -> str:
    """One name with ``*`` and ``[...]`` as an expression that stays within a folder."""
    pieces = re.split(r"(\*|\[[^\]]+\])", part)
    return "".join("[^/]*" if piece == "*" else piece if piece[:1] == "[" else re.escape(piece) for piece in pieces)


def _line(pattern: str) -> re.Pattern[str]:
    """A sign's expression; blanks never run over the end of a line."""
    return re.compile(pattern.replace(r"\s", r"[ \t]"), re.MULTILINE)
