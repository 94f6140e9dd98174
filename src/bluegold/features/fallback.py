"""One expression on one row with polars, for what the one-row path cannot compile itself."""

from __future__ import annotations

from typing import Any

import polars as pl

from bluegold.features.batch import COLUMN_TYPES
from bluegold.features.closures import Closure, Row
from bluegold.features.contract import schema_of
from bluegold.features.specs import ProgramSpec
from bluegold.features.translate import evaluate, restore
from bluegold.features.tree import Expression

__all__ = ["one_row"]


def one_row(spec: ProgramSpec, expression: Expression) -> Closure:
    """A function of a row that asks polars (about a millisecond a call).

    Args:
        spec: the program, for the types of the columns.
        expression: the expression.
    """
    types: dict[str, Any] = schema_of(spec.contract.fields)
    types |= {column.name: COLUMN_TYPES[column.dtype] for lookup in spec.lookups for column in lookup.columns}
    types |= {history.name: COLUMN_TYPES[history.dtype] for history in spec.histories}
    schema = {name: types[name] for name in expression.inputs}
    parsed = restore(expression.polars)

    def ask(row: Row) -> Any:
        frame = pl.DataFrame({name: [row[name]] for name in schema}, schema=schema)
        return evaluate(frame, [parsed]).to_series().item()

    return ask
