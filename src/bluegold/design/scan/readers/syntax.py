"""Python read as a tree and never run: the few node kinds that say something about technologies."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Outline", "outline", "rough_imports"]

#: nodes without anything of interest below them
_LEAVES = (ast.Name, ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.alias, ast.arg)
_ROUGH = re.compile(r"\s{0,40}(?:from\s+([A-Za-z_][\w.]*)\s+import\b|import\s+([A-Za-z_][\w.]*))")


class Outline(NamedTuple):
    """What a module holds, in no particular order.

    ``imports`` are import statements with whether a ``try`` guards them, ``strings`` the string
    constants that are values, ``documents`` the strings that stand alone, ``spans`` the places of
    strings that hold a ``#``.
    """

    imports: list[tuple[ast.Import | ast.ImportFrom, bool]]
    calls: list[ast.Call]
    strings: list[ast.Constant]
    documents: list[ast.Constant]
    subscripts: list[ast.Subscript]
    spans: list[tuple[int, int, int, int]]


def outline(text: str) -> Outline | None:
    """Parse Python source; nothing when it is no Python this version can read.

    Example:
        >>> found = outline("import torch as t\\nt.load('m.pt')")
        >>> len(found.imports), len(found.calls), found.strings[0].value
        (1, 1, 'm.pt')
        >>> outline("print 'old'") is None
        True
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = Outline([], [], [], [], [], [])
    stack: list[tuple[ast.AST, bool]] = [(tree, False)]
    while stack:
        node, guarded = stack.pop()
        if isinstance(node, ast.Constant):
            _string(node, found)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.imports.append((node, guarded))
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, str):
                found.documents.append(node.value)
                _span(node.value, node.value.value, found)
            continue
        if isinstance(node, ast.Call):
            found.calls.append(node)
        elif isinstance(node, ast.Subscript):
            found.subscripts.append(node)
        stack.extend((child, guarded or isinstance(node, ast.Try)) for child in _children(node))
    return found


def _children(node: ast.AST) -> Iterator[ast.AST]:
    for value in node.__dict__.values():
        if isinstance(value, list):
            for item in value:
                if isinstance(item, ast.AST) and not isinstance(item, _LEAVES):
                    yield item
        elif isinstance(value, ast.AST) and not isinstance(value, _LEAVES):
            yield value


def _string(node: ast.Constant, found: Outline) -> None:
    if isinstance(node.value, str):
        found.strings.append(node)
        _span(node, node.value, found)


def _span(node: ast.Constant, value: str, found: Outline) -> None:
    if "#" in value and node.end_lineno is not None and node.end_col_offset is not None:
        found.spans.append((node.lineno, node.col_offset, node.end_lineno, node.end_col_offset))


def rough_imports(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Imports by line, for source that cannot be parsed: Python 2, merge conflicts, templates.

    Example:
        >>> list(rough_imports(["import torch", "print 'x'", "from sklearn.svm import SVC"]))
        [(1, 'torch'), (3, 'sklearn.svm')]
    """
    inside = ""
    for number, line in enumerate(lines, 1):
        for quotes in ('"""', "'''"):
            if inside in {"", quotes} and line.count(quotes) % 2:
                inside = "" if inside else quotes
        found = None if inside else _ROUGH.match(line)
        if found:
            yield number, found[1] or found[2]
