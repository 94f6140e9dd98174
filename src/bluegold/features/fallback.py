"""What the one-row path cannot compile itself, asked of polars: one row, or all that wait in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from bluegold.core.errors import DataError
from bluegold.features.batch import COLUMN_TYPES
from bluegold.features.contract import schema_of
from bluegold.features.specs import ProgramSpec
from bluegold.features.translate import evaluate, restore
from bluegold.features.tree import Expression

__all__ = ["Fallback", "fill"]


class Fallback:
    """One expression as a function of a row, which costs a call of polars: about a millisecond for one row or many.

    Args:
        spec: the program, for the types of the columns.
        expression: the expression; it never looks at other rows.
        name: of what it computes.

    Example:
        >>> from bluegold.features.contract import Contract, number
        >>> from bluegold.features.program import fit_program
        >>> from bluegold.features.system import System
        >>> class Row(Contract):
        ...     x: float = number()
        >>> system = System("tiny", contract=Row, target=pl.col("y") > 0)
        >>> system.feature("root", pl.col("x").cbrt())
        >>> spec = fit_program(system, pl.DataFrame({"x": [1.0, 2.0]}), {})
        >>> root = Fallback(spec, spec.expressions[0].expression, "root")
        >>> rows = [{"x": 8.0}, {"x": 27.0}]
        >>> fill([root], rows)
        >>> [root(row) for row in rows], root({"x": 8.0})
        ([2.0, 3.0], 2.0)
    """

    def __init__(self, spec: ProgramSpec, expression: Expression, name: str) -> None:
        types: dict[str, Any] = schema_of(spec.contract.fields)
        types |= {column.name: COLUMN_TYPES[column.dtype] for lookup in spec.lookups for column in lookup.columns}
        types |= {history.name: COLUMN_TYPES[history.dtype] for history in spec.histories}
        self.schema = {needed: types[needed] for needed in expression.inputs}
        self.parsed = restore(expression.polars)
        self.slot = f" {name}"  # no column can be called so

    def __call__(self, row: Mapping[str, Any]) -> Any:
        """The value for one row.

        Raises:
            DataError: a strict conversion in the expression does not fit this row.
        """
        return row[self.slot] if self.slot in row else self._ask([row])[0]

    def _ask(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        return _asked([self], rows)[0]


def fill(fallbacks: Sequence[Fallback], rows: Sequence[dict[str, Any]]) -> None:
    """Compute the values of many expressions for many rows in one call, and leave them in the rows.

    Where one row breaks the call nothing is left: each row then asks for itself, and only the broken one fails.
    """
    if not fallbacks or not rows:
        return
    try:
        found = _asked(fallbacks, rows)
    except DataError:
        return
    for fallback, values in zip(fallbacks, found, strict=True):
        for row, value in zip(rows, values, strict=True):
            row[fallback.slot] = value


def _asked(fallbacks: Sequence[Fallback], rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    schema = {name: kind for fallback in fallbacks for name, kind in fallback.schema.items()}
    try:
        frame = pl.DataFrame({name: [row[name] for row in rows] for name in schema}, schema=schema)
        found = evaluate(frame, [fallback.parsed.alias(fallback.slot) for fallback in fallbacks])
    except pl.exceptions.PolarsError as error:
        names, why = ", ".join(fallback.slot.strip() for fallback in fallbacks), str(error).strip().splitlines()[0]
        raise DataError(
            f"'{names}' cannot be computed", why=why[:200], way_out="send values that it can convert"
        ) from error
    return [column.to_list() for column in found.get_columns()]
