"""Holding the fields of one row against the contract, on plain values."""

from __future__ import annotations

import datetime as dt
import math
import sys
from collections.abc import Callable
from typing import Any

from bluegold.core.errors import FieldError
from bluegold.features.arrays import judge_value
from bluegold.features.fields import FieldSpec

__all__ = ["Check", "check_of"]

EARLIEST, LATEST = dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1)  # noqa: DTZ001 - contract times are naive
LARGEST = sys.float_info.max
Values = dict[str, Any]
#: Checks (and converts) one field in place and appends its flags.
Check = Callable[[Values, list[str]], None]


def check_of(field: FieldSpec, known: tuple[str, ...] = ()) -> Check:
    """The check of one field.

    Args:
        field: the field.
        known: levels that training showed, where the contract lists none.

    Example:
        >>> values, flags = {"a": 12}, []
        >>> check_of(FieldSpec(name="a", kind="number", le=10, outside="clip"))(values, flags)
        >>> values, flags
        ({'a': 10.0}, ['a:clipped'])
    """
    judge = {
        "category": _judge_text,
        "text": _judge_text,
        "number": _judge_number,
        "flag": _judge_flag,
        "time": _judge_time,
        "array": _judge_array,
    }[field.kind]
    return judge(field, frozenset(field.levels or known))


def _missing(field: FieldSpec, flags: list[str]) -> None:
    if field.missing == "refuse":
        raise FieldError(field.name, "is missing", way_out=f"send a {field.kind}")
    flags.append(f"{field.name}:missing")


def _judge_text(field: FieldSpec, levels: frozenset[str]) -> Check:
    name, longest, refuse = field.name, field.longest, field.unknown == "refuse"
    listed = field.kind == "category" and bool(levels)

    def check(values: Values, flags: list[str]) -> None:
        value = values[name]
        if value is None:
            return _missing(field, flags)
        if not isinstance(value, str):
            raise FieldError(name, f"{value!r} is no text", way_out="send a string")
        if len(value) > longest:
            raise FieldError(name, f"has {len(value):,} characters, at most {longest} are possible")
        if listed and value not in levels:
            if refuse:
                raise FieldError(name, f"{value!r} is unknown", way_out=f"send one of {', '.join(field.levels[:20])}")
            flags.append(f"{name}:unknown")
        return None

    return check


def _judge_flag(field: FieldSpec, _: frozenset[str]) -> Check:
    name = field.name

    def check(values: Values, flags: list[str]) -> None:
        value = values[name]
        if value is None:
            return _missing(field, flags)
        if value is not True and value is not False:
            raise FieldError(name, f"{value!r} is no yes or no", way_out="send true or false")
        return None

    return check


def _judge_number(field: FieldSpec, _: frozenset[str]) -> Check:
    name, outside, whole = field.name, field.outside, field.integer
    low = -math.inf if field.ge is None else field.ge
    high = math.inf if field.le is None else field.le
    least, most = (math.nan, math.nan) if whole else (max(low, -LARGEST), min(high, LARGEST))

    def check(values: Values, flags: list[str]) -> None:
        value = values[name]
        if type(value) is float and least <= value <= most:
            return None
        if value is None or value != value:  # noqa: PLR0124 - only NaN differs from itself
            values[name] = None
            return _missing(field, flags)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise FieldError(name, f"{value!r} is no finite number", way_out="send a number")
        if whole and value != int(value):
            raise FieldError(name, f"{value!r} is no whole number", way_out="send a whole number")
        value = values[name] = int(value) if whole else float(value)
        if low <= value <= high:
            return None
        if outside == "refuse":
            raise FieldError(name, f"{value!r} is outside {_range(field)}")
        if outside == "clip":
            limit = low if value < low else high
            values[name] = int(limit) if whole else float(limit)
            flags.append(f"{name}:clipped")
        else:
            flags.append(f"{name}:outside")
        return None

    return check


def _judge_array(field: FieldSpec, _: frozenset[str]) -> Check:
    name, outside, judge = field.name, field.outside, judge_value(field)

    def check(values: Values, flags: list[str]) -> None:
        if values[name] is None:
            return _missing(field, flags)
        values[name], beyond = judge(values[name])
        if beyond and outside == "refuse":
            raise FieldError(name, f"holds a number outside {_range(field)}")
        if beyond:
            flags.append(f"{name}:{'clipped' if outside == 'clip' else 'outside'}")
        return None

    return check


def _range(field: FieldSpec) -> str:
    low = "-inf" if field.ge is None else f"{field.ge:g}"
    high = "inf" if field.le is None else f"{field.le:g}"
    return f"{low} to {high}{' ' + field.unit if field.unit else ''}"


def _judge_time(field: FieldSpec, _: frozenset[str]) -> Check:
    name, utc = field.name, field.utc

    def check(values: Values, flags: list[str]) -> None:
        value = values[name]
        if value is None:
            return _missing(field, flags)
        if not isinstance(value, dt.datetime):
            raise FieldError(name, f"{value!r} is no moment", way_out="send for example 2013-09-01T12:30:00")
        if value.tzinfo is not None:
            if not utc:
                raise FieldError(name, "carries an offset", way_out="send the local clock's reading without one")
            value = values[name] = value.astimezone(dt.timezone.utc).replace(tzinfo=None)
        if not EARLIEST <= value < LATEST:
            raise FieldError(name, f"{value} is outside 1900 to 2200")
        return None

    return check
