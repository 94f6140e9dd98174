"""Python read as a tree and never run: the few node kinds that say something about technologies."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

__all__ = ["Outline", "outline", "rough_imports"]

#: fields that hold no code of interest: names, contexts, operators, annotations
_BARE = frozenset(
    [
        *("ctx", "op", "ops", "id", "arg", "attr", "name", "names", "kind", "n", "s", "level", "module", "is_async"),
        *("simple", "conversion", "type_comment", "annotation", "returns", "posonlyargs", "kwonlyargs", "vararg"),
        *("kwarg", "tag", "rest", "asname", "type_ignores", "kwd_attrs", "type_params"),
    ]
)
#: node class -> the fields to go on through
_FIELDS: dict[type, tuple[str, ...]] = {
    kind: tuple(name for name in kind._fields if name not in _BARE)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
} | {ast.arguments: ("defaults", "kw_defaults"), ast.Name: (), ast.Constant: ()}
_ROUGH = re.compile(r"\s{0,40}(?:from\s+([A-Za-z_][\w.]*)\s+import\b|import\s+([A-Za-z_][\w.]*))")


class Outline(NamedTuple):
    """What a module holds, in no particular order.

    ``imports`` are the import statements, ``guarded`` the ids of those inside a ``try``, ``strings`` the
    string constants that are values, ``documents`` the strings that stand alone, ``starts`` the
    ids of strings that a longer text begins with, ``spans`` the places of strings that hold a ``#``, ``typed``
    the ids of imports that only a type checker follows, ``dicts`` the literal mappings.
    """

    imports: list[ast.Import | ast.ImportFrom]
    guarded: set[int]
    calls: list[ast.Call]
    strings: list[ast.Constant]
    documents: list[ast.Constant]
    subscripts: list[ast.Subscript]
    starts: set[int]
    spans: list[tuple[int, int, int, int]]
    typed: set[int]
    dicts: list[ast.Dict]


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
    found = Outline([], set(), [], [], [], [], set(), [], set(), [])
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        kind = node.__class__
        if isinstance(node, ast.Constant):
            _string(node, found.strings, found)
            continue
        keep = _KEPT.get(kind)
        if keep is not None and keep(node, found):
            continue
        for name in _FIELDS.get(kind, ()):
            value = getattr(node, name, None)
            if value.__class__ is list:
                stack.extend(value)
            elif value is not None:
                stack.append(value)
    return found


def _keep_document(node: ast.Expr, found: Outline) -> bool:
    if isinstance(node.value, ast.Constant):
        _string(node.value, found.documents, found)
        return True
    return False


def _keep_condition(node: ast.If, found: Outline) -> None:
    if _types_only(node.test):
        found.typed.update(id(inner) for inner in node.body)


#: what is kept of a kind of node; true when nothing inside it is looked at
_KEPT: dict[type, Callable[[Any, Outline], bool | None]] = {
    ast.Call: lambda node, found: found.calls.append(node),
    ast.Subscript: lambda node, found: found.subscripts.append(node),
    ast.Import: lambda node, found: found.imports.append(node),
    ast.ImportFrom: lambda node, found: found.imports.append(node),
    ast.Try: lambda node, found: found.guarded.update(id(inner) for inner in node.body),
    ast.JoinedStr: lambda node, found: found.starts.update(id(part) for part in node.values[:1]),
    ast.BinOp: lambda node, found: found.starts.add(id(node.left)),
    ast.Dict: lambda node, found: found.dicts.append(node),
    ast.If: _keep_condition,
    ast.Expr: _keep_document,
}


def _types_only(test: ast.expr) -> bool:
    """Whether a condition is ``TYPE_CHECKING``, plain or of a module."""
    return (test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")) == "TYPE_CHECKING"


def _string(node: ast.Constant, into: list[ast.Constant], found: Outline) -> None:
    if not isinstance(node.value, str):
        return
    into.append(node)
    if "#" in node.value and node.end_lineno is not None and node.end_col_offset is not None:
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
