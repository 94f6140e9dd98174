"""Compiling an expression tree to one Python closure over a row's plain values."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from typing import Any

from bluegold.core.errors import DataError
from bluegold.features.scalars import scalar, total_less
from bluegold.features.tree import Node

__all__ = ["Closure", "compile_tree"]

Row = Mapping[str, Any]
Closure = Callable[[Row], Any]


def compile_tree(node: Node) -> Closure:
    """Compile ``node`` to a function of a row (a mapping from column to plain value; null is ``None``).

    Example:
        >>> hour = Node(op="hour", dtype="i8", args=(Node(op="column", dtype="datetime", value="t"),))
        >>> compile_tree(hour)({"t": dt.datetime(2013, 1, 1, 17)})
        17
    """
    if node.op == "column":
        name = node.value
        return lambda row: row[name]
    if node.op == "literal":
        value = dt.datetime.fromisoformat(node.value) if node.dtype == "datetime" else node.value
        return lambda _: value
    args = tuple(compile_tree(arg) for arg in node.args)
    if node.op in NULL_AWARE:
        return NULL_AWARE[node.op](node, args)
    bare = scalar(node)
    if bare is None:
        raise DataError(
            f"operation '{node.op}' is unknown",
            why="the program was written by a newer version",
            way_out="serve it with the version that trained it",
        )
    return _lifted(node, bare, args)


def _lifted(node: Node, bare: Callable[..., Any], args: tuple[Closure, ...]) -> Closure:
    """``bare`` on known values; one null makes the result null."""
    if len(args) == 1:
        only = args[0]

        def one(row: Row) -> Any:
            value = only(row)
            return None if value is None else bare(value)

        return one
    left, right = args
    if node.args[0].op == "column" and node.args[1].op == "literal" and node.args[1].value is not None:
        name, constant = node.args[0].value, right({})

        def column_and_constant(row: Row) -> Any:
            value = row[name]
            return None if value is None else bare(value, constant)

        return column_and_constant

    def two(row: Row) -> Any:
        a = left(row)
        if a is None:
            return None
        b = right(row)
        return None if b is None else bare(a, b)

    return two


def _as(node: Node, arg: Node, closure: Closure) -> Closure:
    """``closure`` with its whole numbers made floats where the result is a float."""
    if node.dtype != "f64" or arg.dtype in {"f64", "null"}:
        return closure

    def widened(row: Row) -> Any:
        value = closure(row)
        return None if value is None else float(value)

    return widened


def _all_as(node: Node, args: tuple[Closure, ...]) -> tuple[Closure, ...]:
    return tuple(_as(node, arg, closure) for arg, closure in zip(node.args, args, strict=True))


def _is_null(_: Node, args: tuple[Closure, ...]) -> Closure:
    only = args[0]
    return lambda row: only(row) is None


def _is_not_null(_: Node, args: tuple[Closure, ...]) -> Closure:
    only = args[0]
    return lambda row: only(row) is not None


def _and(_: Node, args: tuple[Closure, ...]) -> Closure:
    def kleene(row: Row) -> Any:
        values = [arg(row) for arg in args]
        if False in values:
            return False
        return None if None in values else True

    return kleene


def _or(_: Node, args: tuple[Closure, ...]) -> Closure:
    def kleene(row: Row) -> Any:
        values = [arg(row) for arg in args]
        if True in values:
            return True
        return None if None in values else False

    return kleene


def _xor(_: Node, args: tuple[Closure, ...]) -> Closure:
    left, right = args

    def exclusive(row: Row) -> Any:
        a, b = left(row), right(row)
        return None if a is None or b is None else a != b

    return exclusive


def _equal_missing(node: Node, args: tuple[Closure, ...]) -> Closure:
    left, right = args
    wanted = node.op == "equal_missing"

    def same(row: Row) -> bool:
        a, b = left(row), right(row)
        alike = a == b or (a is not None and b is not None and a != a and b != b)  # noqa: PLR0124 - NaN
        return alike is wanted

    return same


def _when(node: Node, args: tuple[Closure, ...]) -> Closure:
    condition = args[0]
    yes, no = (_as(node, arg, closure) for arg, closure in zip(node.args[1:], args[1:], strict=True))
    return lambda row: yes(row) if condition(row) else no(row)


def _coalesce(node: Node, args: tuple[Closure, ...]) -> Closure:
    choices = _all_as(node, args)

    def first(row: Row) -> Any:
        for choice in choices:
            value = choice(row)
            if value is not None:
                return value
        return None

    return first


def _extreme(node: Node, args: tuple[Closure, ...]) -> Closure:
    choices = _all_as(node, args)
    smallest = node.op == "minimum"

    def extreme(row: Row) -> Any:
        best = None
        for choice in choices:
            value = choice(row)
            if value is None or (value != value and best is not None):  # noqa: PLR0124 - NaN loses
                continue
            if best is None or best != best or (value <= best if smallest else value >= best):  # noqa: PLR0124 - NaN loses
                best = value
        return best

    return extreme


def _between(node: Node, args: tuple[Closure, ...]) -> Closure:
    value_of, low_of, high_of = args
    with_low, with_high = node.value in {"both", "left"}, node.value in {"both", "right"}

    def between(row: Row) -> Any:
        value, low, high = value_of(row), low_of(row), high_of(row)
        if value is None:
            return None
        above = None if low is None else (not total_less(value, low) if with_low else total_less(low, value))
        below = None if high is None else (not total_less(high, value) if with_high else total_less(value, high))
        if above is False or below is False:
            return False
        return None if above is None or below is None else True

    return between


def _clip(node: Node, args: tuple[Closure, ...]) -> Closure:
    closures = list(_all_as(node, args))
    value_of = closures.pop(0)
    has_low, has_high = node.value
    low_of = closures.pop(0) if has_low else None
    high_of = closures.pop(0) if has_high else None

    def clip(row: Row) -> Any:
        value = value_of(row)
        if value is None:
            return None
        low = low_of(row) if low_of else None
        high = high_of(row) if high_of else None
        if low is not None and value < low:
            return low
        return high if high is not None and value > high else value

    return clip


def _is_in(_: Node, args: tuple[Closure, ...]) -> Closure:
    only, listed = args
    values = listed({})
    known = frozenset(value for value in values if value is not None)

    def member(row: Row) -> Any:
        value = only(row)
        return None if value is None else value in known

    return member


def _replace(node: Node, args: tuple[Closure, ...]) -> Closure:
    only, old, new = args[0], args[1]({}), args[2]({})
    default = _as(node, node.args[3], args[3]) if len(args) > 3 else None
    widen = node.dtype == "f64"
    table = {key: float(value) if widen and value is not None else value for key, value in zip(old, new, strict=True)}

    def replace(row: Row) -> Any:
        value = only(row)
        if value in table:
            return table[value]
        if default is None and value is not None:
            raise DataError(f"value {value!r} has no replacement", way_out="give replace_strict a default")
        return default(row) if default else None

    return replace


def _cast(node: Node, args: tuple[Closure, ...]) -> Closure:
    only, source = args[0], node.args[0].dtype
    lenient = node.value == "lenient"
    convert = _converter(source, node.dtype)

    def cast(row: Row) -> Any:
        value = only(row)
        if value is None:
            return None
        converted = convert(value)
        if converted is None and not lenient:
            raise DataError(
                f"value {value!r} does not fit the type {node.dtype}", way_out="use cast(..., strict=False)"
            )
        return converted

    return cast


def _converter(source: str, target: str) -> Callable[[Any], Any]:
    """The conversion between two types that :func:`translatable <bluegold.features.translate>` lets through."""
    if source == target:
        return lambda value: value
    if target == "f64":
        return float
    if target == "bool":
        return lambda value: value != 0
    if target == "str":
        return (lambda value: "true" if value else "false") if source == "bool" else str
    size = 1 << int(target[1:])
    low, high = (-(size >> 1), size >> 1) if target[0] == "i" else (0, size)

    def whole(value: Any) -> int | None:
        if not math.isfinite(value):
            return None
        number = math.trunc(value)
        return number if low <= number < high else None

    return whole


def _concat(node: Node, args: tuple[Closure, ...]) -> Closure:
    between = node.value

    def joined(row: Row) -> Any:
        parts = [arg(row) for arg in args]
        return None if None in parts else between.join(parts)

    return joined


NULL_AWARE: dict[str, Callable[[Node, tuple[Closure, ...]], Closure]] = {
    "is_null": _is_null,
    "is_not_null": _is_not_null,
    "and": _and,
    "all": _and,
    "or": _or,
    "any": _or,
    "xor": _xor,
    "equal_missing": _equal_missing,
    "not_equal_missing": _equal_missing,
    "when": _when,
    "coalesce": _coalesce,
    "concat": _concat,
    "minimum": _extreme,
    "maximum": _extreme,
    "between": _between,
    "clip": _clip,
    "is_in": _is_in,
    "replace": _replace,
    "cast": _cast,
}
