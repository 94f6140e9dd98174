"""Shapes: what functions do and what columns are computed from, so that two of them can be told to be the same."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from bluegold.design.understand.code import Module

__all__ = ["Column", "Function", "columns", "functions"]

_CASTS = frozenset({"int", "float", "str", "bool", "round", "len", "list", "dict", "tuple"})
_PLAIN_METHODS = frozenset({"get", "dict", "model_dump", "strip", "copy", "item", "tolist", "isoformat", "pop", "json"})
_COMMON = frozenset({"dt", "str", "values", "astype", "get", "apply", "map", "loc", "iloc", "to_numpy", "copy"})
_PICKED = frozenset({"append", "items", "keys", "values", "format", "join", "split"})


class Function(NamedTuple):
    """One function: its name, first and last line, and what it does, whatever its variables are called."""

    name: str
    line: int
    end: int
    body: str


class Column(NamedTuple):
    """One column or field that is computed.

    ``shape`` is its expression with every variable called the same, ``touches`` the fields, methods, texts and numbers
    in it, ``of_table`` whether a table gets it (and not a plain mapping).
    """

    name: str
    line: int
    shape: str
    touches: frozenset[str]
    of_table: bool


def _tree(module: Module) -> ast.Module:
    try:
        return ast.parse(module.source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])


def functions(module: Module) -> Iterator[Function]:
    """The functions of a module that do something worth sharing."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            size = sum(1 for item in body for _ in ast.walk(item))
            if size >= 12:
                yield Function(
                    node.name, module.place(node.lineno), module.place(node.end_lineno or 1), _shape(node, body)
                )


def _shape(node: ast.FunctionDef | ast.AsyncFunctionDef, body: list[ast.stmt]) -> str:
    """The body with its own names numbered, so that a renamed copy is the same."""
    own: dict[str, str] = {arg.arg: f"v{n}" for n, arg in enumerate(node.args.args)}
    for item in body:
        for inner in ast.walk(item):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                own.setdefault(inner.id, f"v{len(own)}")
    parts = []
    for item in body:
        copied = ast.parse(ast.unparse(item)) if own else item
        for inner in ast.walk(copied):
            if isinstance(inner, ast.Name):
                inner.id = own.get(inner.id, inner.id)
        parts.append(ast.dump(copied))
    return "".join(parts)


def columns(module: Module) -> Iterator[Column]:
    """The columns and fields that a module computes.

    Example:
        >>> from bluegold.design.understand.code import read_module
        >>> found = read_module("t.py", "df['hour'] = df['at'].dt.hour.clip(0)\\nrow = {'hour': at.hour, 'age': f(at)}")
        >>> [(one.name, one.line, sorted(one.touches), one.of_table) for one in columns(found)]
        [('hour', 1, ["'at'", 'clip', 'hour'], True), ('age', 2, [], False)]
    """
    for one in _columns(_tree(module)):
        if one.name:
            yield one._replace(line=module.place(one.line))


def _columns(tree: ast.Module) -> Iterator[Column]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                name = _text(target.slice) if isinstance(target, ast.Subscript) else ""
                if name and not _trivial(node.value):
                    yield _column(name, node.value, of_table=True)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                name = _text(key)
                if name and not _trivial(value):
                    yield _column(name, value, of_table=False)
        elif isinstance(node, ast.Call):
            yield from _derived(node)


def _derived(node: ast.Call) -> Iterator[Column]:
    """Columns of ``assign(x=…)``, ``withColumn("x", …)``, ``with_columns(x=…)`` and ``expression.alias("x")``."""
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if method in {"assign", "with_columns", "mutate"}:
        for keyword in node.keywords:
            if keyword.arg and not _trivial(keyword.value):
                yield _column(keyword.arg, keyword.value, of_table=True)
    elif method == "withColumn" and len(node.args) == 2 and _text(node.args[0]):
        yield _column(_text(node.args[0]), node.args[1], of_table=True)
    elif method == "alias" and isinstance(node.func, ast.Attribute) and node.args and not _trivial(node.func.value):
        yield _column(_text(node.args[0]), node.func.value, of_table=True)


def _column(name: str, value: ast.expr, *, of_table: bool) -> Column:
    copied = ast.parse(ast.unparse(value), mode="eval")
    touches: set[str] = set()
    for inner in ast.walk(copied):
        if isinstance(inner, ast.Name):
            inner.id = "v"
        elif isinstance(inner, ast.Attribute) and inner.attr not in _COMMON:
            touches.add(inner.attr)
        elif isinstance(inner, ast.Constant) and inner.value not in {0, 1, None, name, ""}:
            touches.add(repr(inner.value))
    return Column(name, value.lineno, ast.dump(copied), frozenset(touches), of_table)


def _text(node: ast.AST | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _trivial(node: ast.AST) -> bool:
    """Whether an expression only passes a value on: a name, a field, a cast of one, text, or a container."""
    if isinstance(node, (ast.Name, ast.Constant, ast.Attribute, ast.JoinedStr, ast.List, ast.Dict, ast.Tuple)):
        return True
    if isinstance(node, (ast.Set, ast.ListComp, ast.DictComp, ast.Lambda, ast.Await)):
        return True
    if isinstance(node, ast.Subscript):
        return _trivial(node.value)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name):
            return node.func.id[:1].isupper() or (node.func.id in _CASTS and all(_trivial(one) for one in node.args))
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        return method in _PLAIN_METHODS | _PICKED or method.startswith(("predict", "score", "fit"))
    return False
