"""Columns: the columns and fields that code computes, and what each is computed from."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = ["Column", "columns_of"]

_CASTS = frozenset({"int", "float", "str", "bool", "round", "len", "list", "dict", "tuple"})
_PLAIN_METHODS = frozenset({"get", "dict", "model_dump", "strip", "copy", "item", "tolist", "isoformat", "pop", "json"})
_COMMON = frozenset({"dt", "str", "values", "astype", "get", "apply", "map", "loc", "iloc", "to_numpy", "copy"})
_PICKED = frozenset({"append", "items", "keys", "values", "format", "join", "split"})


#: libraries whose calls make tables, names that tables are given, and methods that only tables have
_MAKERS = frozenset({"pandas", "polars", "pyspark", "dask", "modin", "geopandas", "cudf", "vaex", "datasets"})
_NAMED = re.compile(r"(?i)(.*_)?(dfs?|frames?|dataframes?|features?|table)\d*|df\w*|\w+df|X(_\w+)?")
_OF_TABLES = frozenset(
    [
        *(
            "groupby",
            "merge",
            "fillna",
            "dropna",
            "drop",
            "rename",
            "sort_values",
            "reset_index",
            "set_index",
            "astype",
        ),
        *(
            "iterrows",
            "itertuples",
            "loc",
            "iloc",
            "drop_duplicates",
            "to_csv",
            "to_parquet",
            "assign",
            "head",
            "columns",
        ),
    ]
)


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


def columns_of(nodes: Iterable[ast.AST], names: dict[str, str]) -> tuple[Column, ...]:
    """The columns and fields that code computes.

    Args:
        nodes: every node of a module.
        names: what the names of the module stand for.

    Example:
        >>> code = "df['hour'] = df['at'].dt.hour.clip(0)\\nenv['path'] = a + b\\nrow = {'age': f(at)}"
        >>> found = columns_of(list(ast.walk(ast.parse(code))), {})
        >>> [(one.name, one.line, sorted(one.touches), one.of_table) for one in found]
        [('hour', 1, ["'at'", 'clip', 'hour'], True), ('path', 2, [], False), ('age', 3, [], False)]
    """
    nodes = list(nodes)
    tables = _tables(nodes, names)
    return tuple(one for one in _columns(nodes, tables) if one.name)


def _tables(nodes: Iterable[ast.AST], names: dict[str, str]) -> frozenset[str]:
    """Names that hold tables: made by a table library, said to be one, or treated as one."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made = names.get(_root(node.value.func), "")
            if made.partition(".")[0] in _MAKERS or _root(node.value.func) in found:
                found.update(one.id for one in node.targets if isinstance(one, ast.Name))
        elif isinstance(node, ast.arg) and node.annotation is not None and "Frame" in ast.dump(node.annotation):
            found.add(node.arg)
        elif isinstance(node, ast.Attribute) and node.attr in _OF_TABLES and isinstance(node.value, ast.Name):
            found.add(node.value.id)
    return frozenset(found)


def _root(node: ast.AST) -> str:
    """The name that a chain of calls, attributes and items begins with."""
    while isinstance(node, (ast.Attribute, ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _columns(nodes: Iterable[ast.AST], tables: frozenset[str]) -> Iterator[Column]:
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                name = _text(target.slice) if isinstance(target, ast.Subscript) else ""
                if name and not _trivial(node.value):
                    yield _column(name, node.value, of_table=_is_table(target, node.value, tables))
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                name = _text(key)
                if name and not _trivial(value):
                    yield _column(name, value, of_table=False)
        elif isinstance(node, ast.Call):
            yield from _derived(node)


def _is_table(target: ast.AST, value: ast.AST, tables: frozenset[str]) -> bool:
    """Whether what is assigned to is a table and no plain mapping."""
    name = _root(target)
    if name in tables or _NAMED.fullmatch(name):
        return True
    return any(isinstance(one, ast.Subscript) and _text(one.slice) and _root(one) == name for one in ast.walk(value))


def _derived(node: ast.Call) -> Iterator[Column]:
    """Columns of ``assign(x=…)``, ``withColumn("x", …)``, ``with_columns(x=…)`` and ``expression.alias("x")``."""
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if method in {"assign", "with_columns", "mutate"}:
        for keyword in node.keywords:
            if keyword.arg and not _trivial(keyword.value):
                yield _column(keyword.arg, keyword.value, of_table=True)
    elif method == "withColumn" and len(node.args) == 2 and _text(node.args[0]):
        yield _column(_text(node.args[0]), node.args[1], of_table=True)
    elif method == "alias" and isinstance(node.func, ast.Attribute) and node.args and not _plain(node.func.value):
        yield _column(_text(node.args[0]), node.func.value, of_table=True)


def _plain(value: ast.expr) -> bool:
    """Whether an expression counts rows, or is the same for every row."""
    counts = isinstance(value, ast.Call) and all(isinstance(item, ast.Constant) for item in value.args)
    named = getattr(value.func, "attr", getattr(value.func, "id", "")) if isinstance(value, ast.Call) else ""
    return _trivial(value) or (counts and named in {"count", "lit"})


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
