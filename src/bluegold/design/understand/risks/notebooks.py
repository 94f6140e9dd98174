"""Notebooks that do the work of a stage: they train or score, and no module does the same."""

from __future__ import annotations

from bluegold.design.understand.activities import Place
from bluegold.design.understand.risks.view import View

__all__ = ["find"]

_WORK = ("train", "save", "register", "score")


def find(view: View) -> tuple[Place, ...]:
    """The place in each notebook that trains, saves, registers or scores, unless modules do all of that."""
    found: dict[str, Place] = {}
    for work in _WORK:
        places = view.activity(work)
        if any(not place.path.endswith(".ipynb") and place.path.endswith(".py") for place in places):
            continue
        for place in places:
            if place.path.endswith(".ipynb"):
                found.setdefault(place.path, place)
    return tuple(found[path] for path in sorted(found))
