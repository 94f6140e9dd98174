"""Blue's model input for the candidate's hold-out rows.

Feature columns that both versions define alike are taken over (category codes are translated from the one
vocabulary to the other); a feature that only Blue has, or defines differently, cannot be had from the hold-out.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from bluegold.delivery.candidate import Subject
from bluegold.development.tables import matrix_of
from bluegold.features.program import FeatureProgram

__all__ = ["definition", "matrix_for", "translated"]

Matrix = npt.NDArray[np.float64]


def matrix_for(candidate: Subject, blue: Subject) -> tuple[Matrix | None, str]:
    """Blue's matrix for the candidate's hold-out, or why there is none.

    Args:
        candidate: has the rows.
        blue: has the model.

    Returns:
        (n, d of Blue) float64 and nothing, or None and the obstacle in words.
    """
    mine, theirs = candidate.program, blue.program
    table = matrix_of(candidate.holdout, mine.names)
    if mine.digest == theirs.digest:
        return table, ""
    place = {name: index for index, name in enumerate(mine.names)}
    columns = []
    for name, kind in zip(theirs.names, theirs.kinds, strict=True):
        if name not in place:
            return None, f"its feature '{name}' is not among the candidate's"
        if definition(mine, name) != definition(theirs, name):
            return None, f"its feature '{name}' is defined differently"
        column = table[:, place[name]]
        if kind == "category":
            column = translated(column, mine.vocabularies[name], theirs.vocabularies[name])
        columns.append(column)
    return np.ascontiguousarray(np.column_stack(columns)), ""


def definition(program: FeatureProgram, name: str) -> Any:
    """What a feature means, apart from what was learned: its expression, history or lookup, and its kind."""
    kind = program.kinds[program.names.index(name)]
    computed = next((item.expression for item in program.expressions if item.name == name), None)
    history = next((item for item in program.histories if item.name == name), None)
    used = {name, *(computed.inputs if computed is not None else ())}
    looked_up = [
        (spec.table, spec.by, spec.at, spec.within_us)
        for spec in program.lookups
        if used & {column.name for column in spec.columns}
    ]
    return kind, msgspec.to_builtins(computed), msgspec.to_builtins(history), looked_up


def translated(codes: Matrix, source: tuple[str, ...], target: tuple[str, ...]) -> Matrix:
    """Category codes of one vocabulary as codes of another; a level the other does not know becomes -1.

    Example:
        >>> translated(np.array([0.0, 1.0, -1.0]), ("a", "b"), ("b", "c")).tolist()
        [-1.0, 0.0, -1.0]
    """
    known = {level: float(code) for code, level in enumerate(target)}
    table = np.array([*(known.get(level, -1.0) for level in source), -1.0])
    return np.asarray(table[codes.astype(np.int64)], dtype=np.float64)
