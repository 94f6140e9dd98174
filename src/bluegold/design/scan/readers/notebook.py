"""Notebooks, cell by cell: code cells share their names, markdown is prose, outputs are never looked at."""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Iterator

import msgspec

from bluegold.design.scan.index import Index
from bluegold.design.scan.modules import LocalModules
from bluegold.design.scan.readers.prose import mention_signals
from bluegold.design.scan.readers.python import Code, commented, python_prose
from bluegold.design.scan.readers.shell import command_signals
from bluegold.design.scan.readers.syntax import Outline, outline, rough_imports
from bluegold.design.scan.signals import Signal
from bluegold.design.scan.source import SourceFile

__all__ = ["read_notebook"]

#: different signs of one notebook that are placed
MOST_SIGNALS = 2_000
_SHELL_CELLS = ("%%bash", "%%sh", "%%script bash", "%%script sh")
_MAGIC = re.compile(r"(\s*)([!%?].*|.*[^?#'\"]\?{1,2}\s*)")


class Cell(msgspec.Struct):
    """One cell; a code cell of the third format calls its source ``input``."""

    cell_type: str = "code"
    source: str | list[str] = ""
    input: str | list[str] = ""

    def text(self) -> str:
        """The cell's source as one text."""
        source = self.source or self.input
        return source if isinstance(source, str) else "".join(source)


class Sheet(msgspec.Struct):
    """A worksheet of the third format."""

    cells: list[Cell] = []


class Notebook(msgspec.Struct):
    """The parts of a notebook that are read."""

    cells: list[Cell] = []
    worksheets: list[Sheet] = []
    metadata: dict[str, object] = {}

    def language(self) -> str:
        """The language of the code cells in lower case."""
        for key in ("kernelspec", "language_info"):
            info = self.metadata.get(key)
            if isinstance(info, dict):
                named = info.get("language") or info.get("name") or ""
                return "python" if "python" in str(named).lower() else str(named).lower()
        return "python"


def read_notebook(file: SourceFile, index: Index, local: LocalModules) -> Iterator[Signal]:
    """Signals of a notebook; lines are lines of the file, the cell's number is in the detail."""
    try:
        book = msgspec.json.decode(file.text, type=Notebook)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return
    cells = book.cells or [cell for sheet in book.worksheets for cell in sheet.cells]
    if not cells:
        return
    yield Signal("file", "notebook/jupyter", 1, f"notebook of {len(cells)} cells", evidence="configuration")
    places = _Places(file.text, cells)
    python = book.language() in {"python", ""}
    code = Code(index, local, file.path)
    parsed: list[tuple[int, str, Outline]] = []
    for number, cell in enumerate(cells, 1):
        text = cell.text()
        if cell.cell_type != "code":
            yield from places.moved(number, mention_signals(text, index, 1))
        elif python:
            yield from places.moved(number, _magic(text))
            plain = _plain(text)
            found = outline(plain)
            if found is not None:
                parsed.append((number, plain, found))
            else:
                yield from places.moved(number, _rough(plain, index, local, file.path))
    for number, _, found in parsed:
        yield from places.moved(number, code.imports(found))
    for number, plain, found in parsed:
        yield from places.moved(number, code.uses(found))
        yield from places.moved(number, python_prose(found, commented(plain, index), index))


def _rough(text: str, index: Index, local: LocalModules, path: str) -> Iterator[Signal]:
    for line, name in rough_imports(text.split("\n")):
        if name.partition(".")[0] in index.modules and not local.shadows(name, path):
            yield Signal("import", name, line, f"import {name}", weight=0.7)


def _magic(text: str) -> Iterator[Signal]:
    """Shell lines of a cell: ``!pip install x``, ``%pip install x`` and whole shell cells."""
    whole = text.lstrip().startswith(_SHELL_CELLS)
    for number, line in enumerate(text.split("\n"), 1):
        words = line.strip()
        if words.startswith(("!", "%pip", "%conda", "%tensorboard", "%wandb", "%mlflow", "%aim")):
            yield from command_signals(words.lstrip("!%"), number)
        elif whole and not words.startswith(("%", "#")):
            yield from command_signals(words, number)


def _plain(text: str) -> str:
    """The cell as plain Python of the same line count."""
    head = text.lstrip()
    if head.startswith("%%") and not head.startswith(("%%time", "%%capture", "%%timeit", "%%prun")):
        return ""
    return "\n".join(
        (found[1] + "pass") if (found := _MAGIC.fullmatch(line[:4000])) else line for line in text.split("\n")
    )


class _Places:
    """Where in the file a line of a cell stands."""

    def __init__(self, text: str, cells: list[Cell]) -> None:
        self._text = text
        self._cells = cells
        self._starts: list[int] | None = None
        self._seen: set[tuple[str, str, str]] = set()
        self._ends = [found.start() for found in re.finditer("\n", text)]

    def moved(self, number: int, signals: Iterator[Signal]) -> Iterator[Signal]:
        """The signals of a cell with lines of the file instead of lines of the cell."""
        for signal in signals:
            slot = (signal.channel, signal.value, signal.extra)
            if slot in self._seen or len(self._seen) >= MOST_SIGNALS:
                continue
            self._seen.add(slot)
            line = self._line(number, signal.line)
            yield signal._replace(line=line, detail=f"cell {number}: {signal.detail}")

    def _line(self, number: int, line: int) -> int:
        if self._starts is None:
            self._starts = self._find_starts()
        start = self._starts[number - 1]
        wanted = self._cells[number - 1].text().split("\n")[line - 1 : line]
        at = _find(self._text, wanted[0], start) if wanted else -1
        return bisect.bisect_left(self._ends, start if at < 0 else at) + 1

    def _find_starts(self) -> list[int]:
        starts, at = [], 0
        for cell in self._cells:
            first = next((line for line in cell.text().split("\n") if line.strip()), "")
            found = _find(self._text, first, at) if first else -1
            at = found if found >= 0 else at
            starts.append(at)
            at += len(first)
        return starts


def _find(text: str, line: str, start: int) -> int:
    """The position of a source line in the notebook's text, as a JSON string would hold it."""
    found = text.find(json.dumps(line, ensure_ascii=False)[1:-1], start)
    return found if found >= 0 else text.find(json.dumps(line)[1:-1], start)
