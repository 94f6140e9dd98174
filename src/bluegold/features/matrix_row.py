"""The model's input for one row, as one Python expression generated from the program.

Each cell is its feature's closure, or the value of a column, made a plain float: a number that is missing or not
finite is NaN, a level is its code and -1 when it has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from bluegold.features.closures import Closure

__all__ = ["CellSource", "MatrixRow", "matrix_row"]

#: The model's input of a row's values.
MatrixRow = Callable[[Mapping[str, Any]], list[float]]


class CellSource(NamedTuple):
    """Where a cell comes from: a column, or a closure over the row; ``codes`` are those of a category's levels."""

    of: Closure
    column: str = ""
    codes: Mapping[str, float] | None = None


def matrix_row(cells: Sequence[CellSource]) -> MatrixRow:
    """Compile the cells of a row, in the order of the matrix.

    Example:
        >>> cells = [CellSource(len), CellSource(len, "x"), CellSource(len, "k", {"a": 0.0, "b": 1.0})]
        >>> row = matrix_row(cells)
        >>> row({"x": None, "k": "b"}), row({"x": 2, "k": "c"})
        ([2.0, nan, 1.0], [2.0, 2.0, -1.0])
    """
    given: dict[str, Any] = {"number": _number}
    parts = []
    for place, cell in enumerate(cells):
        given[f"of{place}"] = cell.of
        value = f"row[{cell.column!r}]" if cell.column else f"of{place}(row)"
        if cell.codes is None:  # of a float, only what is finite leaves 0 when it is taken from itself
            parts.append(f"(v if type(v := {value}) is float and v - v == 0.0 else number(v))")
        else:
            given[f"code{place}"] = cell.codes.get
            parts.append(f"code{place}({value}, -1.0)")
    made: MatrixRow = eval(f"lambda row: [{', '.join(parts)}]", given)  # noqa: S307 - made here: names are quoted
    return made


def _number(value: Any) -> float:
    return float(value) if value is not None and math.isfinite(value) else math.nan
