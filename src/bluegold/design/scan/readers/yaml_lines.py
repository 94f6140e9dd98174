"""YAML line by line: keys with their path, values and numbers.

No document is ever built, so anchors cannot multiply, nesting cannot run deep, templates and broken
files still give what can be read, and every value keeps its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["YamlLine", "yaml_lines"]

_BLOCK = re.compile(r"[|>][+-]?\d?[+-]?$")
_DECORATION = re.compile(r"(?:[&!][^\s,]*\s+)+")
DEEPEST = 60


class YamlLine(NamedTuple):
    """One value.

    ``path`` are the keys above and of the value, ``item`` says that it is an item of a list,
    ``block`` that it is a line of a block of text, kept with its indentation, ``document`` counts ``---``.
    """

    path: tuple[str, ...]
    value: str
    line: int
    item: bool
    block: bool
    document: int

    @property
    def key(self) -> str:
        """The innermost key."""
        return self.path[-1] if self.path else ""


class _Stack:
    """Keys that are open at a line, by indentation."""

    def __init__(self) -> None:
        self.keys: list[tuple[int, str]] = []

    def cut(self, indent: int) -> None:
        """Close the keys at or right of an indentation."""
        while self.keys and self.keys[-1][0] >= indent:
            self.keys.pop()

    def path(self, *more: str) -> tuple[str, ...]:
        """The open keys and what follows."""
        return (*(key for _, key in self.keys), *more)


def yaml_lines(lines: list[str]) -> Iterator[YamlLine]:
    """The values of a YAML text.

    Args:
        lines: the text's lines.

    Example:
        >>> [(".".join(found.path), found.value) for found in yaml_lines(["a:", "  - b: 1  # one", "  - [x, y]"])]
        [('a', ''), ('a.b', '1'), ('a', 'x'), ('a', 'y')]
    """
    stack = _Stack()
    block: tuple[int, tuple[str, ...]] | None = None
    document = 0
    for number, raw in enumerate(lines, 1):
        content = raw.lstrip(" ")
        indent = len(raw) - len(content)
        if block is not None:
            if not content or indent > block[0]:
                if content:
                    yield YamlLine(block[1], raw, number, item=False, block=True, document=document)
                continue
            block = None
        if raw.startswith("---"):
            document += 1
            stack.keys.clear()
            continue
        if not content or content[0] in "#%\t" or content.startswith("{{"):
            continue
        item, indent, content = _dashes(indent, content)
        stack.cut(indent)
        key, value = _split(content)
        if key and len(stack.keys) < DEEPEST:
            path = stack.path(key)
            stack.keys.append((indent, key))
        else:
            path = stack.path()
        value = _DECORATION.sub("", _uncommented(value) + " ", count=1).strip()
        if _BLOCK.fullmatch(value):
            yield YamlLine(path, "", number, item, block=False, document=document)
            block = (indent if key else max(indent - 2, 0), path)
            continue
        for more, part in _parts(value):
            yield YamlLine(path + more, part, number, item or part != value, block=False, document=document)


def _dashes(indent: int, content: str) -> tuple[bool, int, str]:
    item = False
    while content == "-" or content.startswith("- "):
        item = True
        rest = content[1:].lstrip(" ")
        indent += len(content) - len(rest)
        content = rest
    return item, indent, content


def _split(content: str) -> tuple[str, str]:
    """Key and value of a line; no key when the line is a plain value."""
    if content[:1] in {'"', "'"}:
        end = content.find(content[0], 1)
        if end > 0 and content[end + 1 :].lstrip().startswith(":"):
            return content[1:end], content[end + 1 :].lstrip()[1:].strip()
        return "", content
    if content[:1] in {"[", "{", "|", ">", "*", "&"}:
        return "", content
    at = content.find(": ")
    if at < 0 and content.rstrip().endswith(":"):
        at = len(content.rstrip()) - 1
    hashed = content.find(" #")
    if at < 0 or 0 <= hashed < at:
        plain = content[:hashed].rstrip() if hashed >= 0 else ""
        return (plain[:-1].strip(), "") if plain.endswith(":") else ("", content)
    return content[:at].strip(), content[at + 1 :].strip()


def _uncommented(value: str) -> str:
    if value[:1] in {'"', "'"}:
        end = value.find(value[0], 1)
        return value[1:end] if end > 0 else value
    if value.startswith("#"):
        return ""
    return value.partition(" #")[0].strip()


def _parts(value: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The scalars of a flow list or map on one line, else the value itself."""
    if value.startswith("[") and value.endswith("]"):
        for part in value[1:-1].split(",")[:1000]:
            yield (), part.strip().strip("\"'")
    elif value.startswith("{") and value.endswith("}") and not value.startswith("{{"):
        for part in value[1:-1].split(",")[:1000]:
            key, _, inner = part.partition(":")
            yield (key.strip().strip("\"'{}"),), inner.strip().strip("\"'{}")
    else:
        yield (), value
