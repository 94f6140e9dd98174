"""The target column: what its type says about the task, and its labels in the task's own type."""

from __future__ import annotations

import polars as pl

from bluegold.core.errors import DataError

__all__ = ["labels_of"]

TEXTS = {pl.String, pl.Categorical, pl.Enum}


def labels_of(found: pl.Series, task: str, name: str) -> pl.Series:
    """The labels as booleans (binary), texts (multiclass) or floats (regression; NaN and infinity are unknown).

    Args:
        found: the target as the definition computes it.
        task: what the definition says; empty to go by the type.
        name: the system, for messages.

    Raises:
        DataError: the type does not fit the task, or means several and none is given.

    Example:
        >>> labels_of(pl.Series([2, 1]), "multiclass", "digits").to_list()
        ['2', '1']
        >>> labels_of(pl.Series([2.5]), "", "delays").dtype
        Float64
    """
    dtype = found.dtype
    if dtype.is_integer() and not task:
        raise DataError(
            f"the target of '{name}' is {dtype}, which may be a class or a number",
            way_out="say task='multiclass' or task='regression', or use a comparison for a yes or no",
        )
    whole, text = dtype.is_integer(), dtype.base_type() in TEXTS
    if dtype == pl.Boolean and task in {"", "binary"}:
        return found
    if (text and task in {"", "multiclass"}) or (whole and task == "multiclass"):
        return found.cast(pl.String)
    if ((dtype.is_float() or dtype.is_decimal()) and task in {"", "regression"}) or (whole and task == "regression"):
        numbers = found.cast(pl.Float64)
        return numbers.to_frame().select(pl.when(pl.first().is_finite()).then(pl.first()).alias(found.name)).to_series()
    wanted = {"binary": "a yes or no", "multiclass": "a text or a whole number", "regression": "a number"}
    raise DataError(
        f"the target of '{name}' is {dtype}, not {wanted.get(task, 'a yes or no, a text or a number')}",
        way_out="use a comparison, or correct task=",
    )
