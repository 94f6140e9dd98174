"""Guesses that a person confirms: which file a notebook reads, which column it predicts."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bluegold.export.notebooks.flow import Flow

__all__ = ["data_of", "target_of"]

_READERS = frozenset({"read_csv", "read_parquet", "scan_csv", "scan_parquet"})
_TARGETS = frozenset({"y", "Y", "target", "labels", "label", "y_all", "y_true"})


def data_of(flow: Flow) -> str:
    """The first CSV or Parquet file that is read by a literal path."""
    for node in _nodes(flow):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _READERS:
            found = _literal(node.args[0]) if node.args else ""
            if found and "://" not in found:
                return found
    return ""


def target_of(flow: Flow) -> str:
    """The column that is taken as what is predicted: ``y = rows["column"]`` or ``rows.pop("column")``."""
    for node in _nodes(flow):
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") in _TARGETS for target in node.targets):
            for inner in ast.walk(node.value):
                if isinstance(inner, ast.Subscript) and (found := _literal(inner.slice)):
                    return found
                popped = isinstance(inner, ast.Call) and getattr(inner.func, "attr", "") in {"pop", "get_column"}
                if isinstance(inner, ast.Call) and popped and inner.args and (found := _literal(inner.args[0])):
                    return found
    return ""


def _nodes(flow: Flow) -> Iterator[ast.AST]:
    for stage in flow.stages:
        for statement in stage.body:
            yield from ast.walk(statement.node)


def _literal(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
