"""Flow: which statements make up which stage, what a stage needs and what it gives."""

from __future__ import annotations

import ast

import msgspec

from bluegold.core.errors import DataError
from bluegold.export.notebooks.reading import Aside, Book
from bluegold.export.notebooks.roles import Names, Role, only_shows, role_of
from bluegold.export.notebooks.statements import BUILTINS, Statement, statements

__all__ = ["Flow", "Stage", "flow_of"]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A run of statements with one role: its function's name, what it takes and gives."""

    name: str
    body: tuple[Statement, ...]
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    perhaps: frozenset[str]

    @property
    def cells(self) -> tuple[int, ...]:
        """The notebook's cells it came from."""
        return tuple(dict.fromkeys(statement.cell for statement in self.body))


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A notebook taken apart: imports, shared definitions, parameters, stages, and what was left aside."""

    imports: tuple[Statement, ...]
    shared: tuple[Statement, ...]
    parameters: tuple[Statement, ...]
    stages: tuple[Stage, ...]
    aside: tuple[Aside, ...]


def flow_of(book: Book) -> Flow:
    """Take a notebook apart, keeping the order in which its statements run.

    Raises:
        DataError: a cell uses a name that no earlier cell gives, or a function would see another value than in the
            notebook.
    """
    everything = statements(book)
    given = tuple(item for item in everything if {"parameters", "injected-parameters"} & set(item.tags))
    rest = tuple(item for item in everything if item not in given)
    kept, aside, roles = _kept(rest)
    imports, kept = _imports(kept)
    shared, kept = _shared(imports, kept, given)
    if not kept:
        raise DataError(f"notebook '{book.path}' computes nothing", way_out="name a notebook that loads or trains")
    known = BUILTINS.union(*(item.binds for item in (*imports, *shared)))
    stages = _stages(book, _grouped(kept, roles), known, frozenset().union(*(item.binds for item in given)))
    taken = frozenset().union(*(item.binds for item in (*imports, *shared)), *(item.reads for item in kept))
    stages = tuple(msgspec.structs.replace(stage, name=_free(stage.name, taken)) for stage in stages)
    return Flow(
        imports=imports,
        shared=shared,
        parameters=given,
        stages=stages,
        aside=tuple(sorted((*book.aside, *aside), key=lambda item: item.cell)),
    )


def _free(name: str, taken: frozenset[str]) -> str:
    """A stage's name that no name of the notebook hides."""
    return f"{name}_stage" if name in taken else name


def _kept(rest: tuple[Statement, ...]) -> tuple[tuple[Statement, ...], list[Aside], dict[int, Role]]:
    """The statements that stay, those that only show something, and every statement's role."""
    names = Names()
    drawn: set[str] = set()
    reasons: dict[int, str] = {}
    roles: dict[int, Role] = {}
    for item in rest:
        names.learn(item)
        reason = only_shows(item, names, drawn)
        roles[id(item)] = role_of(item, names)
        if reason:
            reasons[id(item)] = reason
            drawn |= item.binds
    while True:
        needed = frozenset().union(*(item.reads | item.words for item in rest if id(item) not in reasons), ())
        back = [item for item in rest if id(item) in reasons and item.binds & needed]
        if not back:
            break
        for item in back:
            del reasons[id(item)]
    kept = tuple(item for item in rest if id(item) not in reasons)
    aside = [Aside(cell=i.cell, reason=reasons[id(i)], text=i.text) for i in rest if id(i) in reasons]
    return kept, aside, roles


def _imports(kept: tuple[Statement, ...]) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    """Import statements whose names nothing else binds stand at the top of the stages' files."""
    other = frozenset().union(*(item.binds for item in kept if not _is_import(item)), ())
    taken = tuple(item for item in kept if _is_import(item) and not item.binds & other)
    return taken, tuple(item for item in kept if item not in taken)


def _is_import(item: Statement) -> bool:
    return isinstance(item.node, ast.Import | ast.ImportFrom)


def _shared(
    imports: tuple[Statement, ...], kept: tuple[Statement, ...], given: tuple[Statement, ...]
) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    """Functions, classes and constants that need nothing of the notebook's data, bound once."""
    bound = [name for item in (*given, *kept) for name in item.binds]
    once = {name for name in bound if bound.count(name) == 1}
    known = BUILTINS.union(*(item.binds for item in imports))
    taken: list[Statement] = []
    while True:
        more = [item for item in kept if item not in taken and _can_be_shared(item, once, known)]
        if not more:
            break
        taken.extend(more)
        known = known.union(*(item.binds for item in more))
    order = [item for item in kept if item in taken]
    return tuple(order), tuple(item for item in kept if item not in taken)


def _can_be_shared(item: Statement, once: set[str], known: frozenset[str]) -> bool:
    if not item.binds or not item.binds <= once:
        return False
    if isinstance(item.node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return item.reads - item.binds <= known
    if isinstance(item.node, ast.Assign) and all(name.isupper() for name in item.binds):
        try:
            ast.literal_eval(item.node.value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return False
        return True
    return False


def _grouped(kept: tuple[Statement, ...], roles: dict[int, Role]) -> list[tuple[Role, list[Statement]]]:
    """Neighbouring statements of one role; what says nothing stays with what stands before it."""
    said = [roles.get(id(item), "") for item in kept]
    trained = False
    last: Role = next((role for role in said if role), "load")
    for index, role in enumerate(said):
        if role == "features" and trained:  # preparing what is evaluated is part of evaluating
            said[index] = next((later for later in said[index:] if later not in {"", "features"}), last)
        last = said[index] = said[index] or last
        trained = trained or last == "train"
    groups: list[tuple[Role, list[Statement]]] = []
    for role, item in zip(said, kept, strict=True):
        if groups and groups[-1][0] == role:
            groups[-1][1].append(item)
        else:
            groups.append((role, [item]))
    return groups


def _stages(
    book: Book, groups: list[tuple[Role, list[Statement]]], known: frozenset[str], given: frozenset[str]
) -> tuple[Stage, ...]:
    binds = [frozenset().union(*(item.binds for item in body)) for _, body in groups]
    needs: list[frozenset[str]] = []
    available = given
    for index, (_, body) in enumerate(groups):
        later = frozenset().union(*binds[index + 1 :], ())
        needs.append(_needs(book, body, available, known, later))
        available |= binds[index]
    stages: list[Stage] = []
    for index, (role, body) in enumerate(groups):
        later_needs = frozenset().union(*needs[index + 1 :], ())
        last = index == len(groups) - 1 or role in {"train", "evaluate"}
        shown = {name for name in binds[index] if not name.startswith("_")} if last else set()
        count = sum(other == role for other, _ in groups[:index])
        certain = frozenset().union(*(item.binds - item.maybe for item in body))
        gives = binds[index] & (later_needs | shown)
        stages.append(
            Stage(
                name=role if not count else f"{role}_{count + 1}",
                body=tuple(body),
                takes=tuple(sorted(needs[index])),
                gives=tuple(sorted(gives)),
                perhaps=frozenset(gives - certain - needs[index]),
            )
        )
    return tuple(stages)


def _needs(
    book: Book, body: list[Statement], available: frozenset[str], known: frozenset[str], later: frozenset[str]
) -> frozenset[str]:
    """The names a stage takes from the stages before it."""
    bound: set[str] = set()
    here = frozenset().union(*(item.binds for item in body))
    needs: set[str] = set()
    for item in body:
        place = f"notebook '{book.path}', cell {item.cell},"
        late = sorted((item.inner - known) & later)
        if late:
            raise DataError(
                f"{place} defines something that looks up '{late[0]}', which a later part gives again",
                way_out=f"pass '{late[0]}' to it as an argument",
            )
        outside = (item.reads | (item.words & available)) - bound
        missing = sorted(outside - available - known - here - item.inner - item.words)
        if missing and not any(alias == "*" for alias in known):
            raise DataError(
                f"{place} uses '{missing[0]}', which nothing before it gives",
                why="the notebook may have been run in another order, or another notebook gave it",
                way_out="run it from top to bottom once and save it",
            )
        needs |= (outside | item.maybe - bound) & available
        bound |= item.binds - item.maybe
    return frozenset(needs)
