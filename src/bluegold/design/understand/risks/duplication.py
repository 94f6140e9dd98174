"""Training-serving duplication: the same function body or the same column, written on both sides."""

from __future__ import annotations

from collections.abc import Iterable

from bluegold.design.understand.activities import Place
from bluegold.design.understand.code import Module
from bluegold.design.understand.columns import Column
from bluegold.design.understand.imports import closure
from bluegold.design.understand.risks.view import View
from bluegold.design.understand.shapes import functions

__all__ = ["find"]


def find(view: View) -> tuple[Place, ...]:
    """Pairs of places: a feature of the training side and the same feature of the serving side."""
    training = closure(view.modules("train", "tune"), view.sources.modules)
    serving = closure(view.modules("serve", "score"), view.sources.modules)
    shared = training.keys() & serving.keys()
    ours = [training[path] for path in sorted(training.keys() - shared)]
    theirs = [serving[path] for path in sorted(serving.keys() - shared)]
    found, told = _bodies(ours, theirs)
    return tuple(dict.fromkeys((*found, *_columns(ours, theirs, told))))


def _bodies(ours: Iterable[Module], theirs: Iterable[Module]) -> tuple[list[Place], set[tuple[str, int]]]:
    """Functions that stand on both sides, and the lines of the second ones."""
    known = {one.body: (module.path, one) for module in ours for one in functions(module)}
    found: list[Place] = []
    lines: set[tuple[str, int]] = set()
    for module in theirs:
        for one in functions(module):
            if one.body in known:
                path, first = known[one.body]
                again = f"{first.name}() again as {module.path}:{one.line}"
                found.append(Place(path=path, line=first.line, shows=again))
                found.append(Place(path=module.path, line=one.line, shows=f"{one.name}()"))
                lines |= {(module.path, line) for line in range(one.line, one.end + 1)}
    return found, lines


def _columns(ours: Iterable[Module], theirs: Iterable[Module], told: set[tuple[str, int]]) -> list[Place]:
    """Columns that both sides compute: with the same expression, or with another one over the same things."""
    known: dict[str, tuple[str, Column]] = {}
    for module in ours:
        for one in module.columns:
            if one.of_table:
                known.setdefault(one.name, (module.path, one))
    found: list[Place] = []
    seen: set[str] = set()
    for module in theirs:
        for one in module.columns:
            if one.name not in known or one.name in seen or (module.path, one.line) in told:
                continue
            path, first = known[one.name]
            same = first.shape == one.shape
            if same or first.touches & one.touches:
                seen.add(one.name)
                how = "the same expression" if same else "another expression"
                found.append(Place(path=path, line=first.line, shows=f"'{one.name}' again as {module.path}:{one.line}"))
                found.append(Place(path=module.path, line=one.line, shows=f"'{one.name}': {how}"))
    return found
