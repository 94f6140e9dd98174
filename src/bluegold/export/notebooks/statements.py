"""Statements and their names: what each one reads and binds at the notebook's top level."""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from collections.abc import Iterator

import msgspec

from bluegold.core.errors import DataError
from bluegold.export.notebooks.reading import Book, Cell

__all__ = ["BUILTINS", "Statement", "statements"]

BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__", "display"}
_WORD = re.compile(r"[A-Za-z_]\w*")


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One top-level statement.

    ``reads`` are the names it needs from outside, ``binds`` the names it gives, ``maybe`` those it binds only on
    some paths, ``words`` the words of its strings (a query may name a variable), ``inner`` the names that functions
    defined here look up when they are called.
    """

    cell: int
    tags: tuple[str, ...]
    node: ast.stmt
    text: str
    reads: frozenset[str]
    binds: frozenset[str]
    maybe: frozenset[str]
    words: frozenset[str]
    inner: frozenset[str]


def statements(book: Book) -> tuple[Statement, ...]:
    """The top-level statements of all cells, in order.

    Raises:
        DataError: a cell is no Python, waits at its top level, or declares a name global; cell and line are named.
    """
    return tuple(statement for cell in book.cells for statement in _of_cell(book, cell))


def _of_cell(book: Book, cell: Cell) -> Iterator[Statement]:
    where = f"notebook '{book.path}', cell {cell.number}"
    try:
        code = _unwrapped(cell.code)
        tree = ast.parse(code)
        _runs(tree, where)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise DataError(
            f"{where}{line}, is not Python", why=getattr(error, "msg", "") or str(error), way_out="correct that cell"
        ) from error
    lines = code.split("\n")
    for index, node in enumerate(tree.body):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Global):
                raise DataError(
                    f"{where}, declares {', '.join(inner.names)} global",
                    why="a stage gives what it makes to the next one, nothing is shared behind its back",
                    way_out="pass the value in and return it",
                )
        yield _statement(cell, node, _text(tree.body, index, lines))


def _runs(tree: ast.Module, where: str) -> None:
    """Nothing when a cell compiles; what only a notebook runs is named."""
    try:
        compile(tree, "cell", "exec")
    except SyntaxError as error:
        compile(tree, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        raise DataError(
            f"{where}, line {error.lineno}, waits at its top level",
            why="an await outside a function runs in a notebook only",
            way_out="put it into an async function and call asyncio.run(...)",
        ) from error


def _unwrapped(code: str) -> str:
    """The code with `if __name__ == "__main__":` taken off: in a notebook it always holds."""
    tree = ast.parse(code)
    guarded = [node for node in tree.body if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)]
    if not guarded:
        return code
    body = [
        inner for node in tree.body for inner in (node.body if isinstance(node, ast.If) and node in guarded else [node])
    ]
    return ast.unparse(ast.Module(body=body, type_ignores=[]))


def _statement(cell: Cell, node: ast.stmt, text: str) -> Statement:
    table = symtable.symtable(text, "cell", "exec")
    reads: set[str] = set()
    binds: set[str] = set()
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
            binds.add(symbol.get_name())
        if symbol.is_referenced():
            reads.add(symbol.get_name())
    inner = frozenset(_looked_up(table))
    certain = _certain(node)
    strings = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return Statement(
        cell=cell.number,
        tags=cell.tags,
        node=node,
        text=text,
        reads=frozenset(reads | inner),
        binds=frozenset(binds),
        maybe=frozenset(binds - certain),
        words=frozenset(word for value in strings if len(value) < 5000 for word in _WORD.findall(value)),
        inner=inner if _defines(node) else frozenset(),
    )


def _defines(node: ast.stmt) -> bool:
    """Whether code is made here that runs later."""
    if isinstance(node, ast.Assign):
        return isinstance(node.value, ast.Lambda)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _looked_up(table: symtable.SymbolTable) -> Iterator[str]:
    """Names that functions, classes and comprehensions inside look up outside themselves."""
    for child in table.get_children():
        for symbol in child.get_symbols():
            if symbol.is_global() and symbol.is_referenced():
                yield symbol.get_name()
        yield from _looked_up(child)


def _certain(node: ast.stmt) -> frozenset[str]:
    """Names that the statement binds whatever happens."""
    match node:
        case ast.Assign(targets=targets):
            return frozenset(name for target in targets for name in _targets(target))
        case ast.AnnAssign(target=target, value=value) if value is not None:
            return frozenset(_targets(target))
        case ast.AugAssign(target=target):
            return frozenset(_targets(target))
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name=name):
            return frozenset({name})
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return frozenset((alias.asname or alias.name).partition(".")[0] for alias in names)
        case ast.With(items=items, body=body):
            bound = {name for item in items if item.optional_vars for name in _targets(item.optional_vars)}
            return frozenset(bound).union(*(_certain(inner) for inner in body))
        case _:
            return frozenset()


def _targets(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Starred):
        yield from _targets(node.value)
    elif isinstance(node, ast.Tuple | ast.List):
        for item in node.elts:
            yield from _targets(item)


def _text(body: list[ast.stmt], index: int, lines: list[str]) -> str:
    """The statement as written with the comments above it; written anew where lines are shared or strings span."""
    node = body[index]
    first = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", ()))])
    last = node.end_lineno or node.lineno
    shared = any(
        other is not node and other.lineno <= last and (other.end_lineno or other.lineno) >= first for other in body
    )
    spans = any(
        isinstance(part, ast.Constant | ast.JoinedStr) and (part.end_lineno or part.lineno) > part.lineno
        for part in ast.walk(node)
    )
    if shared or spans:
        return ast.unparse(node)
    start = first - 1
    before = (body[index - 1].end_lineno or 0) if index else 0
    while start > before and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    last_line = lines[last - 1]
    return "\n".join([*lines[start : last - 1], last_line]).rstrip().rstrip(";")
