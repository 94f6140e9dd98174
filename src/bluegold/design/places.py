"""Places: where a statement stands, as ``path:line``, found by reading sources and never by running them."""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import yaml

__all__ = ["definition_places", "definition_texts", "module_place", "plan_places"]


@cache
def module_place(module: str, symbol: str = "") -> str:
    """Where a module of this project defines a name, as ``path:line`` below the package's parent folder.

    Example:
        >>> module_place("bluegold.core.nouns", "Finding").startswith("bluegold/core/nouns.py:")
        True
    """
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.origin:
        return module
    path = Path(spec.origin)
    shown = "/".join(("bluegold", *path.parts[_after(path.parts) :]))
    if not symbol:
        return f"{shown}:1"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if symbol in _defines(node):
            return f"{shown}:{node.lineno}"
    return f"{shown}:1"


def _after(parts: tuple[str, ...]) -> int:
    return len(parts) - parts[::-1].index("bluegold")


def _defines(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def definition_places(source: str, path: str) -> dict[str, str]:
    """Places of a system's definition: ``field:origin``, ``feature:hour``, ``system:protected``, ``model:lightgbm`` ...

    Args:
        source: text of ``pipeline.py``.
        path: how it is cited.

    Example:
        >>> text = 'system = bg.System("s", target=1)' + chr(10) + 'system.feature("hour", 2)'
        >>> definition_places(text, "pipeline.py")["feature:hour"]
        'pipeline.py:2'
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {}
    found: dict[str, str] = {}

    def note(key: str, line: int) -> None:
        found.setdefault(key, f"{path}:{line}")

    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            _fields(node, note)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            _call(node, node.func.attr, note)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Attribute) and decorator.attr == "source":
                    note("system:source", node.lineno)
    return found


def definition_texts(source: str) -> dict[str, str]:
    """How the target and every feature were written, by the keys of :func:`definition_places`.

    Example:
        >>> definition_texts('system.feature("hour", pl.col("t").dt.hour())')
        {'feature:hour': "col('t').dt.hour()"}
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {}
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        first = node.args[0] if node.args else None
        named = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
        if node.func.attr in {"feature", "history"} and named and len(node.args) > 1:
            found[f"{node.func.attr}:{named}"] = ast.unparse(node.args[1]).replace("pl.", "")
        for keyword in node.keywords if node.func.attr == "System" else ():
            if keyword.arg in {"target", "split"}:
                found[f"system:{keyword.arg}"] = ast.unparse(keyword.value).replace("pl.", "").replace("bg.", "")
    return found


def _fields(node: ast.ClassDef, note: Any) -> None:
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            note("contract", node.lineno)
            note(f"field:{item.target.id}", item.lineno)
        elif isinstance(item, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "rules" for t in item.targets):
            note("rules", item.lineno)


def _call(node: ast.Call, name: str, note: Any) -> None:
    texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if name == "System":
        note("system", node.lineno)
        for keyword in node.keywords:
            if keyword.arg:
                note(f"system:{keyword.arg}", keyword.value.lineno)
    elif name == "use":
        for text in texts:
            note(f"feature:{text}", node.lineno)
    elif name in {"feature", "history", "lookup", "model"} and texts:
        note(f"{name}:{texts[0]}", node.lineno)


def plan_places(source: str, path: str) -> dict[str, str]:
    """Places of what ``architecture.yaml`` says, by dotted key: only keys that somebody wrote.

    Example:
        >>> plan_places("system: s" + chr(10) + "rollout:" + chr(10) + "  canary: 0.1", "architecture.yaml")
        {'system': 'architecture.yaml:1', 'rollout': 'architecture.yaml:2', 'rollout.canary': 'architecture.yaml:3'}
    """
    try:
        root = yaml.compose(source, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return {}
    found: dict[str, str] = {}
    if root is not None:
        _walk(root, "", path, found)
    return found


def _walk(node: yaml.Node, prefix: str, path: str, found: dict[str, str]) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            name = f"{prefix}{key.value}"
            found.setdefault(name, f"{path}:{key.start_mark.line + 1}")
            _walk(value, f"{name}.", path, found)
