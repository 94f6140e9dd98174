"""Code: modules and notebooks as calls with resolved names, functions and computed columns; nothing is run."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from bluegold.design.scan.readers.notebook import Notebook
from bluegold.design.scan.readers.syntax import rough_imports
from bluegold.design.understand.columns import Column, columns_of

__all__ = ["Call", "Module", "read_module"]


class Call(NamedTuple):
    """One call: its dotted name (``?.method`` when its origin cannot be told), line, first text and keywords.

    A keyword that is given nothing (``random_state=None``, ``weights_only=False``) is left out; ``**`` stands for those
    that cannot be told.
    """

    name: str
    line: int
    first: str
    keywords: frozenset[str]
    decorates: bool = False


class Module(NamedTuple):
    """One module or notebook.

    ``imports`` are dotted names, relative ones with their leading dots; ``columns`` is what it computes; ``source`` is
    the code, and ``lines`` says for each of its lines where it stands in the file (empty when the file is the code).
    """

    path: str
    notebook: bool
    imports: frozenset[str]
    calls: tuple[Call, ...]
    source: str
    lines: tuple[int, ...]
    columns: tuple[Column, ...] = ()

    def uses(self, heads: frozenset[str]) -> bool:
        """Whether it imports one of some libraries."""
        return any(name.partition(".")[0] in heads for name in self.imports)

    def place(self, line: int) -> int:
        """The line of the file for a line of the code."""
        return _place(self.lines, line)


def read_module(path: str, text: str, relevant: re.Pattern[str] | None = None) -> Module | None:
    """Read one file; nothing when it is no Python this version can read.

    Args:
        path: how it is cited; ``.ipynb`` is read cell by cell.
        text: its content.
        relevant: a file that holds none of this is read for its imports only.

    Example:
        >>> module = read_module("t.py", "import pandas as pd\\ndf = pd.read_csv('a.csv')\\ndf.head()")
        >>> [(call.name, call.line, call.first) for call in module.calls]
        [('pandas.read_csv', 2, 'a.csv'), ('?.head', 3, '')]
    """
    notebook = path.endswith(".ipynb")
    if not (notebook or relevant is None or relevant.search(text)):
        found = frozenset(name for _, name in rough_imports(text.split("\n")))
        return Module(path=path, notebook=False, imports=found, calls=(), source=text, lines=())
    source, lines = _cells(text) if notebook else (text, [])
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    nodes = _nodes(tree)
    names, imports = _names(nodes)
    decorators = {
        id(one)
        for node in nodes
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        for one in node.decorator_list
    }
    return Module(
        path=path,
        notebook=notebook,
        imports=imports,
        calls=tuple(
            call._replace(line=_place(lines, call.line))
            for call in sorted(_calls(nodes, names, decorators), key=lambda call: (call.line, call.name))
        ),
        source=source,
        lines=tuple(lines),
        columns=tuple(one._replace(line=_place(lines, one.line)) for one in columns_of(nodes, names)),
    )


#: kinds of nodes that say what code does, and the fields that no such node lies in
_KINDS = (
    *(ast.Import, ast.ImportFrom, ast.Call, ast.Assign, ast.With, ast.AsyncWith, ast.FunctionDef),
    *(ast.AsyncFunctionDef, ast.ClassDef, ast.Dict, ast.arg, ast.Attribute),
)
_BARE = frozenset({"ctx", "op", "ops", "id", "attr", "kind", "names", "annotation", "returns", "type_ignores", "level"})
_FIELDS: dict[type, tuple[str, ...]] = {
    kind: tuple(name for name in kind._fields if name not in _BARE)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
} | {ast.Name: (), ast.Constant: ()}


def _nodes(tree: ast.AST) -> list[ast.AST]:
    """The telling nodes of a tree, level by level."""
    level: list[object] = [tree]
    found: list[ast.AST] = []
    while level:
        below: list[object] = []
        for node in level:
            if isinstance(node, _KINDS):
                found.append(node)
            for name in _FIELDS.get(node.__class__, ()):
                value = getattr(node, name, None)
                if value.__class__ is list:
                    below.extend(value)
                elif value is not None:
                    below.append(value)
        level = below
    return found


def _place(lines: Sequence[int], line: int) -> int:
    return lines[line - 1] if lines and line <= len(lines) else line


def _cells(text: str) -> tuple[str, list[int]]:
    """The code cells of a notebook as one source, and the line of the file for each of its lines."""
    try:
        book = msgspec.json.decode(text, type=Notebook)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return "", []
    source: list[str] = []
    lines: list[int] = []
    at, counted, line = 0, 0, 1
    for cell in book.cells or [inner for sheet in book.worksheets for inner in sheet.cells]:
        body = cell.text()
        if cell.cell_type != "code" or body.lstrip().startswith("%%") or not _parses(body):
            continue
        for words in body.split("\n"):
            found = text.find(json.dumps(words, ensure_ascii=False)[1:-1], at) if words.strip() else -1
            if found >= 0:
                line += text.count("\n", counted, found)
                at = counted = found
            source.append(_plain(words))
            lines.append(line)
    return "\n".join(source), lines


def _plain(words: str) -> str:
    return words[: len(words) - len(words.lstrip())] + "pass" if words.lstrip().startswith(("!", "%", "?")) else words


def _parses(body: str) -> bool:
    try:
        ast.parse("\n".join(_plain(words) for words in body.split("\n")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _names(nodes: list[ast.AST]) -> tuple[dict[str, str], frozenset[str]]:
    """What a name stands for: an import, or the class whose object it was given."""
    names: dict[str, str] = {}
    imports: set[str] = set()
    assigned: list[tuple[str, ast.Call]] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
            for alias in node.names:
                head = alias.name.partition(".")[0]
                names[alias.asname or head] = alias.name if alias.asname else head
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            dot = "" if module.endswith(".") else "."
            imports.add(module)
            imports.update(f"{module}{dot}{alias.name}" for alias in node.names)
            names.update({alias.asname or alias.name: f"{module}{dot}{alias.name}" for alias in node.names})
        else:
            assigned += _assigned(node)
    for _ in range(2):  # a pipeline of a pipeline needs a second look
        for target, call in assigned:
            made = _resolve(call.func, names)
            if target and made.rpartition(".")[2][:1].isupper() and not made.startswith("?"):
                names.setdefault(target, made)
    return names, frozenset(imports)


def _assigned(node: ast.AST) -> list[tuple[str, ast.Call]]:
    """Names that are given the result of a call."""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
        return [(_dotted(target), node.value) for target in node.targets]
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return [
            (_dotted(item.optional_vars), item.context_expr)
            for item in node.items
            if isinstance(item.context_expr, ast.Call) and item.optional_vars is not None
        ]
    return []


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def _resolve(node: ast.AST, names: dict[str, str]) -> str:
    """The dotted name of what is called; through a call only when that makes an object of a class."""
    parts: list[str] = []
    while len(parts) < 8:
        held = names.get(_dotted(node), "") if isinstance(node, (ast.Name, ast.Attribute)) else ""
        if held and len(parts) > 1 and held.rpartition(".")[2][:1].isupper():
            return f"?.{parts[0]}"  # a part of an object: what it is cannot be told
        if held:
            return ".".join((held, *reversed(parts)))
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call) and parts and _resolve(node.func, names).rpartition(".")[2][:1].isupper():
            node = node.func
        else:
            break
    if not parts:
        return _dotted(node)
    through = f"{parts[1]}." if len(parts) > 1 and parts[1] in {"read", "write", "readStream"} else ""
    return f"?.{through}{parts[0]}"


def _calls(nodes: list[ast.AST], names: dict[str, str], decorators: set[int]) -> Iterator[Call]:
    for node in nodes:
        bare = id(node) in decorators and not isinstance(node, ast.Call)
        if not (isinstance(node, ast.Call) or bare):
            continue
        called = node.func if isinstance(node, ast.Call) else node
        args = node.args if isinstance(node, ast.Call) else []
        given = node.keywords if isinstance(node, ast.Call) else []
        first = args[0].value if args and isinstance(args[0], ast.Constant) and isinstance(args[0].value, str) else ""
        keywords = frozenset(keyword.arg or "**" for keyword in given if not _unset(keyword.value))
        line = getattr(node, "lineno", 1)
        yield Call(_resolve(called, names), line, first, keywords, id(node) in decorators)


def _unset(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or node.value is False)
