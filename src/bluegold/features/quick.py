"""The quick look at one row: whether every field is plainly in order, so that no check has anything to say.

The look is one Python expression generated from the contract.  It may only be stricter than the checks
(:mod:`bluegold.features.checks`): a row that passes it is one that they would leave as it is, without a flag.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bluegold.features.checks import EARLIEST, LARGEST, LATEST
from bluegold.features.fields import FieldSpec

__all__ = ["Quick", "quick_of"]

#: Whether the values of a decoded row, by field, are plainly in order.
Quick = Callable[[Mapping[str, Any]], bool]


def quick_of(fields: Sequence[FieldSpec], known: Mapping[str, Sequence[str]]) -> Quick:
    """Compile the quick look.

    Args:
        fields: the contract's fields.
        known: levels that training showed, by field, where the contract lists none.

    Example:
        >>> quick = quick_of([FieldSpec(name="a", kind="number", ge=0, le=10)], {})
        >>> quick({"a": 3.0}), quick({"a": 12.0}), quick({"a": None})
        (True, False, False)
    """
    given: dict[str, Any] = {"datetime": dt.datetime, "EARLIEST": EARLIEST, "LATEST": LATEST}
    conditions = [
        _condition(
            field, f"(v := row[{field.name!r}])", place, frozenset(field.levels or known.get(field.name, ())), given
        )
        for place, field in enumerate(fields)
    ]
    source = f"lambda row: {' and '.join(conditions) or 'True'}"
    quick: Quick = eval(source, given)  # noqa: S307 - made here: names are quoted, levels and limits are bound
    return quick


def _condition(field: FieldSpec, value: str, place: int, levels: frozenset[str], given: dict[str, Any]) -> str:
    """The expression that holds where the field's check would change, flag and refuse nothing."""
    if field.kind in {"category", "text"}:
        given[f"levels{place}"] = frozenset(level for level in levels if len(level) <= field.longest)
        given[f"longest{place}"] = field.longest
        listed = field.kind == "category" and bool(levels)
        return f"type({value}) is str and {f'v in levels{place}' if listed else f'len(v) <= longest{place}'}"
    if field.kind == "number" and not field.integer:
        given[f"low{place}"] = -LARGEST if field.ge is None else max(field.ge, -LARGEST)
        given[f"high{place}"] = LARGEST if field.le is None else min(field.le, LARGEST)
        return f"type({value}) is float and low{place} <= v <= high{place}"
    if field.kind == "flag":
        return f"({value} is True or v is False)"
    if field.kind == "time":
        return f"type({value}) is datetime and v.tzinfo is None and EARLIEST <= v < LATEST"
    return "False"  # whole numbers and arrays are judged, and made plain, by their checks
