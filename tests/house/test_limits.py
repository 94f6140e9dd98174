"""House limits: sizes, complexity of interfaces, broad excepts, environment reads, exported names."""

from __future__ import annotations

import ast
import importlib
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "bluegold"
FILES = sorted(SOURCE.rglob("*.py"))
BROAD_ALLOWED = {"development/runner.py", "engine/local.py", "production/flow.py", "production/app.py"}


def _id(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def _functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_sizes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    problems = []
    if len(text.splitlines()) > 400:
        problems.append(f"{len(text.splitlines())} lines, limit 400")
    for function in _functions(tree):
        first = min([function.lineno, *(d.lineno for d in function.decorator_list)])
        length = (function.end_lineno or first) - first + 1
        if length > 50:
            problems.append(f"{function.name}: {length} lines, limit 50")
        arguments = function.args
        names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        count = len([name for name in names if name not in {"self", "cls"}])
        if count > 7:
            problems.append(f"{function.name}: {count} parameters, limit 7")
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            public = [f for f in node.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("_")]
            if len(public) > 15:
                problems.append(f"class {node.name}: {len(public)} public methods, limit 15")
    assert not problems, f"{_id(path)}: {problems}"


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_broad_except_only_at_the_edges(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            names = ast.unparse(node.type) if node.type else ""
            broad = not names or re.search(r"\bException\b", names)
            assert not broad or _id(path) in BROAD_ALLOWED, f"{_id(path)}:{node.lineno} catches everything"


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_environment_is_read_in_one_place(path: Path) -> None:
    if _id(path) == "core/settings.py":
        return
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"os\.(environ|getenv)", text), f"{_id(path)} reads the environment"


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_every_exception_to_a_check_gives_its_reason(path: Path) -> None:
    """A `noqa` or `type: ignore` is followed by a dash and a reason."""
    with path.open("rb") as file:
        comments = [t for t in tokenize.tokenize(io.BytesIO(file.read()).readline) if t.type == tokenize.COMMENT]
    for comment in comments:
        if "noqa" in comment.string or "type: ignore" in comment.string:
            assert re.search(r"(noqa: [A-Z0-9, ]+|type: ignore\[[a-z-, ]+\])\s+(#|-)\s*\w+", comment.string), (
                f"{_id(path)}:{comment.start[0]} names no reason: {comment.string}"
            )


def _export_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, as the linter's RUF022 sorts them."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2, name


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions, as ruff's RUF022 orders them."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_exported_names(path: Path) -> None:
    if path.name == "__main__.py":
        return
    name = ".".join(("bluegold", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", None)
    if exported is None:
        assert path.name == "__init__.py", f"{name} has no __all__"
        return
    assert list(exported) == sorted(exported, key=_export_order), f"{name}.__all__ is not sorted"
    missing = [item for item in exported if not hasattr(module, item)]
    assert not missing, f"{name}.__all__ names {missing}, which do not exist"


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_public_things_are_documented(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{_id(path)} says nothing about its job"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list):
                continue  # the implementation below carries the docstring
            assert ast.get_docstring(node), f"{_id(path)}: {node.name} has no docstring"


def test_rooms_name_their_section() -> None:
    wanted = {"development": "S1", "production": "S2", "stores": "S3", "registry": "S4", "delivery": "S5"}
    wanted["requirements"] = "S6"
    for room, section in wanted.items():
        doc = ast.get_docstring(ast.parse((SOURCE / room / "__init__.py").read_text(encoding="utf-8"))) or ""
        assert doc.startswith(section), f"{room}: {doc[:40]!r}"


def test_the_error_tree_is_drawn_as_it_is() -> None:
    """The picture on top of core/errors.py shows every class below its base."""
    errors = importlib.import_module("bluegold.core.errors")
    drawn: dict[str, str] = {}
    stack: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^([│├└─\s]*)([A-Z]\w+)(\s{2,}.*)?$", line)
        if not match or not hasattr(errors, match[2]):
            continue
        depth = len(match[1])
        while stack and stack[-1][0] >= depth:
            stack.pop()
        drawn[match[2]] = stack[-1][1] if stack else ""
        stack.append((depth, match[2]))
    for name in errors.__all__:
        base = getattr(errors, name).__bases__[0].__name__
        assert drawn.get(name) == ("" if base == "Exception" else base), name
