"""Shapes: what functions do, so that two of them can be told to be the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from bluegold.design.understand.code import Module

__all__ = ["Function", "functions"]


class Function(NamedTuple):
    """One function: its name, first and last line, and what it does, whatever its variables are called."""

    name: str
    line: int
    end: int
    body: str


def _tree(module: Module) -> ast.Module:
    try:
        return ast.parse(module.source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])


#: what a function is called that moves things or asks a model; it makes no feature
_MOVES = re.compile(
    r"(?i)(?:.*_)?(predict|infer|inference|serve|load|save|read|write|dump|fetch|download|upload|log|parse|setup|connect"
    r"|plot|train|fit|evaluate|evaluation|main|run|register)(?:_.*)?"
)
_OPENS = frozenset({"open", "write", "write_text", "print", "dump", "dumps", "execute", "commit", "savefig"})
_CHANGES = frozenset(
    [
        *("fillna", "map", "apply", "astype", "clip", "where", "replace", "lower", "upper", "strip", "split", "log1p"),
        *(
            "groupby",
            "rolling",
            "shift",
            "diff",
            "get_dummies",
            "cut",
            "with_columns",
            "withColumn",
            "resize",
            "normalize",
        ),
    ]
)


def functions(module: Module) -> Iterator[Function]:
    """The functions of a module that make features, whatever is done with these."""
    found = [node for node in ast.walk(_tree(module)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for node in reversed(found):  # inner ones first: a shape renames what is inside
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        nodes = [inner for item in body for inner in ast.walk(item)]
        if len(nodes) >= 12 and not _MOVES.fullmatch(node.name) and _makes(nodes):
            first, last = module.place(node.lineno), module.place(node.end_lineno or 1)
            yield Function(node.name, first, last, _shape(node, nodes, body))


def _makes(nodes: list[ast.AST]) -> bool:
    """Whether a body works on values and moves none: what opens, writes or prints makes no feature."""
    calls = [node.func for node in nodes if isinstance(node, ast.Call)]
    named = {getattr(called, "attr", getattr(called, "id", "")) for called in calls}
    return named.isdisjoint(_OPENS) and any(map(_computes, nodes))


def _computes(node: ast.AST) -> bool:
    """Whether a node works on values: arithmetic, a comparison, a column that is set, a method that changes values."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.ctx, ast.Store) and isinstance(node.slice, ast.Constant)
    if isinstance(node, ast.Attribute):
        return node.attr in _CHANGES
    return isinstance(node, (ast.BinOp, ast.AugAssign, ast.Compare))


def _shape(node: ast.FunctionDef | ast.AsyncFunctionDef, nodes: list[ast.AST], body: list[ast.stmt]) -> str:
    """The body with its own names numbered, so that a renamed copy is the same; the tree is used up."""
    own: dict[str, str] = {arg.arg: f"v{n}" for n, arg in enumerate(node.args.args)}
    names = [inner for inner in nodes if isinstance(inner, ast.Name)]
    for inner in names:
        if isinstance(inner.ctx, ast.Store):
            own.setdefault(inner.id, f"v{len(own)}")
    for inner in names:
        inner.id = own.get(inner.id, inner.id)
    return "".join(ast.dump(item) for item in body)
