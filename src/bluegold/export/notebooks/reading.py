"""A notebook as its code cells: plain Python, with what only a notebook understands taken out and kept aside."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import msgspec

from bluegold.core.errors import DataError

__all__ = ["Aside", "Book", "Cell", "read_book"]

LARGEST = 64_000_000
#: cell magics that only wrap the code below them
_WRAPPERS = frozenset({"time", "timeit", "capture", "prun"})
_LINE = re.compile(r"(\s*)([!%?].*|[^#'\"]*[^?#'\"\s]\?{1,2})\s*")
_TIMED = re.compile(r"(\s*)%(?:time|prun)\s+(\S.*)")
_SHELL_VALUE = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*[!%]")


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """Code that is no part of a stage: its cell (from 1), why it was left out, its text."""

    cell: int
    reason: str
    text: str


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One code cell: its number among all cells, its Python, its tags, and whether it was taken whole."""

    number: int
    code: str
    tags: tuple[str, ...] = ()


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """A notebook's Python cells, and what was left aside while reading it."""

    path: Path
    cells: tuple[Cell, ...]
    aside: tuple[Aside, ...]


class _Cell(msgspec.Struct):
    cell_type: str = "code"
    source: str | list[str] = ""
    input: str | list[str] = ""
    metadata: dict[str, object] = {}

    def text(self) -> str:
        source = self.source or self.input
        return source if isinstance(source, str) else "".join(source)

    def tags(self) -> tuple[str, ...]:
        tags = self.metadata.get("tags")
        return tuple(str(tag) for tag in tags) if isinstance(tags, list) else ()


class _Sheet(msgspec.Struct):
    cells: list[_Cell] = []


class _Notebook(msgspec.Struct):
    cells: list[_Cell] = []
    worksheets: list[_Sheet] = []
    metadata: dict[str, object] = {}


def read_book(path: Path) -> Book:
    """Read a notebook; nothing of it runs.

    Args:
        path: an ``.ipynb`` file.

    Raises:
        DataError: it cannot be read, is no notebook, is not in Python, or takes a value from the shell.
    """
    raw = _decoded(path)
    language = _language(raw.metadata)
    if language not in {"python", ""}:
        raise DataError(
            f"notebook '{path}' is written in {language}", way_out="only Python notebooks become stages; leave it out"
        )
    cells: list[Cell] = []
    aside: list[Aside] = []
    everything = raw.cells or [cell for sheet in raw.worksheets for cell in sheet.cells]
    for number, cell in enumerate(everything, 1):
        if cell.cell_type == "code" and cell.text().strip():
            code, left = _plain(cell.text(), number, path)
            aside.extend(left)
            if code.strip():
                cells.append(Cell(number=number, code=code, tags=cell.tags()))
    if not cells:
        raise DataError(f"notebook '{path}' has no code", way_out="name a notebook with Python cells")
    return Book(path=path, cells=tuple(cells), aside=tuple(aside))


def _decoded(path: Path) -> _Notebook:
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"notebook '{path}' is bigger than 64 MB", way_out="clear its outputs and save it again")
        return msgspec.json.decode(path.read_bytes(), type=_Notebook)
    except OSError as error:
        raise DataError(
            f"notebook '{path}' cannot be read", why=error.strerror or str(error), way_out="name a readable .ipynb file"
        ) from error
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise DataError(
            f"'{path}' is not a notebook", why=str(error), way_out="open it in Jupyter and save it again"
        ) from error


def _language(metadata: dict[str, object]) -> str:
    for key in ("kernelspec", "language_info"):
        info = metadata.get(key)
        if isinstance(info, dict):
            named = str(info.get("language") or info.get("name") or "").lower()
            return "python" if "python" in named else named
    return ""


def _plain(text: str, number: int, path: Path) -> tuple[str, list[Aside]]:
    """The cell as Python of the same lines, and the lines that were none."""
    head, _, rest = text.lstrip().partition("\n")
    if head.startswith("%%"):
        magic = head[2:].split(" ")[0].strip()
        if magic not in _WRAPPERS:
            return "", [Aside(cell=number, reason=f"a %%{magic} cell is not Python", text=text)]
        text = rest
    if _is_python(text):
        return text, []
    kept: list[str] = []
    left: list[Aside] = []
    for line in text.split("\n"):
        taken = _SHELL_VALUE.match(line)
        if taken:
            raise DataError(
                f"notebook '{path}', cell {number}: '{taken[1]}' takes its value from the shell",
                way_out="write that line in Python first",
            )
        timed = _TIMED.fullmatch(line)
        if timed:
            kept.append(timed[1] + timed[2])
        elif _LINE.fullmatch(line[:4000]):
            kept.append("")
            left.append(Aside(cell=number, reason="a shell or magic line", text=line.strip()))
        else:
            kept.append(line)
    return "\n".join(kept), left


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
