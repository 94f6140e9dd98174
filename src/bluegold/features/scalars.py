"""The operations of an expression on single plain values, with polars' meaning.

Numbers follow IEEE 754 as polars does: dividing by zero gives an infinity or NaN, NaN equals itself and is
above every number; whole numbers wrap around at the width of their type, and dividing one by zero gives null.
Moments are naive :class:`datetime.datetime`, spans are whole microseconds.
"""

from __future__ import annotations

import calendar
import datetime as dt
import math
import operator
from collections.abc import Callable
from typing import Any

from bluegold.features.tree import Node

__all__ = ["EPOCH", "Scalar", "is_whole", "scalar", "total_less"]

Scalar = Callable[..., Any]
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - moments are naive
MICROSECOND = dt.timedelta(microseconds=1)
INFINITY, NAN = math.inf, math.nan
#: what Unicode calls white space (Python's own strip takes a few control characters more)
BLANKS = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def is_whole(dtype: str) -> bool:
    """Whether ``dtype`` is a whole-number type.

    Example:
        >>> is_whole("i8"), is_whole("f64")
        (True, False)
    """
    return dtype[0] in "iu" and dtype[1:].isdigit()


def scalar(node: Node) -> Scalar | None:
    """The function behind ``node.op`` on known values, or None when the operation must see nulls itself.

    Example:
        >>> column = Node(op="column", dtype="i8", value="a")
        >>> scalar(Node(op="multiply", dtype="i8", args=(column, column)))(12, 12)
        -112
    """
    if node.op in ARITHMETIC:
        return _arithmetic(node)
    if node.op in COMPARISONS:
        floats = any(arg.dtype == "f64" for arg in node.args)
        return (TOTAL_ORDER if floats else COMPARISONS)[node.op]
    if node.op == "total":
        unit = node.value
        return lambda span: span // unit if span >= 0 else -(-span // unit)
    if node.op in CONSTANT:
        return CONSTANT[node.op](node.value)
    if is_whole(node.dtype) and node.op in {"abs", "negate"}:
        wrap, bare = _wrapper(node.dtype), operator.neg if node.op == "negate" else abs
        return lambda value: wrap(bare(value))
    if node.op in {"floor", "ceil", "sign"} and is_whole(node.args[0].dtype):
        return (lambda value: (value > 0) - (value < 0)) if node.op == "sign" else (lambda value: value)
    return FUNCTIONS.get(node.op)


def total_less(a: Any, b: Any) -> bool:
    """Whether ``a`` is below ``b`` when NaN is above every number.

    Example:
        >>> total_less(1.0, math.nan), total_less(math.nan, math.nan)
        (True, False)
    """
    return bool(a < b or (b != b and a == a))  # noqa: PLR0124 - only NaN differs from itself


def _same(a: Any, b: Any) -> bool:
    return bool(a == b or (a != a and b != b))  # noqa: PLR0124 - only NaN differs from itself


COMPARISONS: dict[str, Scalar] = {
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "equal": operator.eq,
    "not_equal": operator.ne,
}
TOTAL_ORDER: dict[str, Scalar] = {
    "greater": lambda a, b: total_less(b, a),
    "greater_equal": lambda a, b: not total_less(a, b),
    "less": total_less,
    "less_equal": lambda a, b: not total_less(b, a),
    "equal": _same,
    "not_equal": lambda a, b: not _same(a, b),
}


def _divide(a: float, b: float) -> float:
    if b:
        return a / b
    if a != a or a == 0.0 or b != b:  # noqa: PLR0124 - only NaN differs from itself
        return NAN
    return math.copysign(INFINITY, a) * math.copysign(1.0, b)


def _floor(a: float) -> float:
    if not math.isfinite(a):
        return a
    return math.copysign(float(math.floor(a)), a) if -1.0 < a < 1.0 and math.floor(a) == 0 else float(math.floor(a))


def _ceil(a: float) -> float:
    return -_floor(-a)


def _floor_divide(a: float, b: float) -> float:
    return _floor(_divide(a, b))


def _modulo(a: float, b: float) -> float:
    return a - _floor(_divide(a, b)) * b


FLOAT_ARITHMETIC: dict[str, Scalar] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": _divide,
    "floor_divide": _floor_divide,
    "modulo": _modulo,
}
# polars multiplies a column by the reciprocal of a constant divisor, which may differ in the last bit.
BY_CONSTANT: dict[str, Scalar] = {
    "divide": lambda a, b: a * _divide(1.0, b),
    "floor_divide": lambda a, b: _floor(a * _divide(1.0, b)),
    "modulo": lambda a, b: a - _floor(a * _divide(1.0, b)) * b,
}
WHOLE_ARITHMETIC: dict[str, Scalar] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "floor_divide": operator.floordiv,
    "modulo": operator.mod,
}
ARITHMETIC = frozenset(FLOAT_ARITHMETIC)


def _is_constant(node: Node) -> bool:
    return node.op == "literal" or (bool(node.args) and all(_is_constant(arg) for arg in node.args))


def _wrapper(dtype: str) -> Callable[[int], int]:
    size = 1 << int(dtype[1:])
    low, high = (-(size >> 1), size >> 1) if dtype[0] == "i" else (0, size)

    def wrap(value: int) -> int:
        return value if low <= value < high else (value - low) % size + low

    return wrap


def _arithmetic(node: Node) -> Scalar:
    left, right = (arg.dtype for arg in node.args)
    if node.dtype == "f64":
        by_constant = _is_constant(node.args[1]) and not _is_constant(node.args[0])
        bare = (BY_CONSTANT if by_constant and node.op in BY_CONSTANT else FLOAT_ARITHMETIC)[node.op]
        if left == right == "f64":
            return bare
        return lambda a, b: bare(float(a), float(b))
    if {left, right} & {"datetime", "duration"}:
        return _moments(node.op, left, right)
    if node.dtype == "str":
        return operator.add
    wrap, bare = _wrapper(node.dtype), WHOLE_ARITHMETIC[node.op]
    if node.op in {"floor_divide", "modulo"}:
        return lambda a, b: wrap(bare(a, b)) if b else None
    return lambda a, b: wrap(bare(a, b))


def _moments(op: str, left: str, right: str) -> Scalar:
    if left == right == "datetime":
        return lambda a, b: (a - b) // MICROSECOND
    if left == right:
        return operator.add if op == "add" else operator.sub
    if left == "duration":
        return lambda a, b: b + a * MICROSECOND
    if op == "add":
        return lambda a, b: a + b * MICROSECOND
    return lambda a, b: a - b * MICROSECOND


def _exp(a: float) -> float:
    try:
        return math.exp(a)
    except OverflowError:
        return INFINITY


def _logarithm(a: float) -> float:
    if a > 0.0:
        return math.log(a)
    return -INFINITY if a == 0.0 else NAN


def _log(a: float, base: float) -> float:
    return _divide(_logarithm(float(a)), _logarithm(float(base)))


def _log1p(a: float) -> float:
    if a > -1.0:
        return math.log1p(a)
    return -INFINITY if a == -1.0 else NAN


def _sqrt(a: float) -> float:
    return math.sqrt(a) if a >= 0.0 else NAN


def _sign(a: float) -> float:
    return a if a != a or a == 0.0 else math.copysign(1.0, a)  # noqa: PLR0124 - only NaN differs from itself


def _tan(a: float) -> float:
    return math.tan(a) if math.isfinite(a) else NAN


def _truncate(unit: int) -> Scalar:
    return lambda t: EPOCH + ((t - EPOCH) // MICROSECOND // unit * unit) * MICROSECOND


def _slice(bounds: list[int | None]) -> Scalar:
    first, last = bounds
    return lambda text: text[first:last]


def _replace_text(options: list[Any]) -> Scalar:
    old, new, most = options
    return lambda text: text.replace(old, new, most)


#: operations with constant options: from the options to the function
CONSTANT: dict[str, Callable[[Any], Scalar]] = {
    "truncate": _truncate,
    "slice": _slice,
    "replace_text": _replace_text,
    "strip": lambda _: lambda text: text.strip(BLANKS),
}


FUNCTIONS: dict[str, Scalar] = {
    "abs": abs,
    "negate": operator.neg,
    "floor": _floor,
    "ceil": _ceil,
    "sign": _sign,
    "exp": lambda a: _exp(float(a)),
    "log": _log,
    "log1p": lambda a: _log1p(float(a)),
    "sqrt": lambda a: _sqrt(float(a)),
    "sin": lambda a: math.sin(a) if math.isfinite(a) else NAN,
    "cos": lambda a: math.cos(a) if math.isfinite(a) else NAN,
    "tan": _tan,
    "arctan": math.atan,
    "tanh": math.tanh,
    "degrees": math.degrees,
    "radians": math.radians,
    "is_nan": lambda a: a != a,  # noqa: PLR0124 - only NaN differs from itself
    "is_not_nan": lambda a: a == a,  # noqa: PLR0124 - only NaN differs from itself
    "is_finite": math.isfinite,
    "is_infinite": math.isinf,
    "not": operator.not_,
    "year": operator.attrgetter("year"),
    "month": operator.attrgetter("month"),
    "day": operator.attrgetter("day"),
    "hour": operator.attrgetter("hour"),
    "minute": operator.attrgetter("minute"),
    "second": operator.attrgetter("second"),
    "quarter": lambda t: (t.month + 2) // 3,
    "week": lambda t: t.isocalendar()[1],
    "weekday": lambda t: t.isoweekday(),
    "ordinal_day": lambda t: t.toordinal() - dt.date(t.year, 1, 1).toordinal() + 1,
    "millisecond": lambda t: t.microsecond // 1000,
    "microsecond": operator.attrgetter("microsecond"),
    "leap_year": lambda t: calendar.isleap(t.year),
    "iso_year": lambda t: t.isocalendar()[0],
    "days_in_month": lambda t: calendar.monthrange(t.year, t.month)[1],
    "epoch_us": lambda t: (t - EPOCH) // MICROSECOND,
    "lower": str.lower,
    "upper": str.upper,
    "len_chars": len,
    "len_bytes": lambda text: len(text.encode()),
    "reverse": lambda text: text[::-1],
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": operator.contains,
}
