"""From a polars expression to :class:`~bluegold.features.tree.Expression`: same meaning, as plain data.

polars itself is asked for the type of every sub-expression, so that narrow integers, true division and null
literals mean the same in both worlds.  What has no translation keeps its polars JSON and is run by polars.
"""

from __future__ import annotations

import functools
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from bluegold.core.errors import DefinitionError
from bluegold.features.tree import Expression, Node

__all__ = ["dtype_name", "evaluate", "restore", "translate"]

Schema = Mapping[str, pl.DataType]

DTYPES: dict[str, str] = {
    **{f"Int{bits}": f"i{bits}" for bits in (8, 16, 32, 64)},
    **{f"UInt{bits}": f"u{bits}" for bits in (8, 16, 32, 64)},
    "Float32": "f32",
    "Float64": "f64",
    "Boolean": "bool",
    "String": "str",
    "Null": "null",
}
BINARY = {
    "Plus": "add",
    "Minus": "subtract",
    "Multiply": "multiply",
    "Divide": "divide",
    "TrueDivide": "divide",
    "FloorDivide": "floor_divide",
    "Modulus": "modulo",
    "Gt": "greater",
    "GtEq": "greater_equal",
    "Lt": "less",
    "LtEq": "less_equal",
    "Eq": "equal",
    "NotEq": "not_equal",
    "EqValidity": "equal_missing",
    "NotEqValidity": "not_equal_missing",
    "And": "and",
    "LogicalAnd": "and",
    "Or": "or",
    "LogicalOr": "or",
    "Xor": "xor",
}
FUNCTIONS = {
    "Abs": "abs",
    "Negate": "negate",
    "Floor": "floor",
    "Ceil": "ceil",
    "Sign": "sign",
    "Exp": "exp",
    "Log": "log",
    "Log1p": "log1p",
    "FillNull": "coalesce",
    "Coalesce": "coalesce",
    "MinHorizontal": "minimum",
    "MaxHorizontal": "maximum",
    "Boolean.Not": "not",
    "Boolean.IsNull": "is_null",
    "Boolean.IsNotNull": "is_not_null",
    "Boolean.IsNan": "is_nan",
    "Boolean.IsNotNan": "is_not_nan",
    "Boolean.IsFinite": "is_finite",
    "Boolean.IsInfinite": "is_infinite",
    "Boolean.AnyHorizontal": "any",
    "Boolean.AllHorizontal": "all",
    "Pow.Sqrt": "sqrt",
    "Trigonometry.Sin": "sin",
    "Trigonometry.Cos": "cos",
    "Trigonometry.Tan": "tan",
    "Trigonometry.ArcTan": "arctan",
    "Trigonometry.Tanh": "tanh",
    "Trigonometry.Degrees": "degrees",
    "Trigonometry.Radians": "radians",
    "TemporalExpr.Year": "year",
    "TemporalExpr.Quarter": "quarter",
    "TemporalExpr.Month": "month",
    "TemporalExpr.Week": "week",
    "TemporalExpr.WeekDay": "weekday",
    "TemporalExpr.OrdinalDay": "ordinal_day",
    "TemporalExpr.Day": "day",
    "TemporalExpr.Hour": "hour",
    "TemporalExpr.Minute": "minute",
    "TemporalExpr.Second": "second",
    "TemporalExpr.Millisecond": "millisecond",
    "TemporalExpr.Microsecond": "microsecond",
    "TemporalExpr.IsLeapYear": "leap_year",
    "TemporalExpr.IsoYear": "iso_year",
    "TemporalExpr.DaysInMonth": "days_in_month",
    "StringExpr.Lowercase": "lower",
    "StringExpr.Uppercase": "upper",
    "StringExpr.LenChars": "len_chars",
    "StringExpr.LenBytes": "len_bytes",
    "StringExpr.Reverse": "reverse",
    "StringExpr.StartsWith": "starts_with",
    "StringExpr.EndsWith": "ends_with",
}
# Functions with options: only these options are translated (the rest of the tree is operands).
TOTALS = {"TotalDays": 86_400_000_000, "TotalHours": 3_600_000_000, "TotalMinutes": 60_000_000}
#: Functions whose further operands have to be constants.
CONSTANTS = {"StringExpr.StripChars", "StringExpr.Head", "StringExpr.Slice", "TemporalExpr.Truncate"}
SPAN = re.compile(r"([1-9]\d{0,5})([dhms])")
SPANS = {"d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000}
TOTALS |= {"TotalSeconds": 1_000_000, "TotalMilliseconds": 1_000, "TotalMicroseconds": 1}


class _NoTranslationError(Exception):
    """This part of the tree has no translation; the text says which part."""


def translate(expression: pl.Expr, schema: Schema, what: str) -> Expression:
    """Translate ``expression`` over columns of ``schema``.

    Args:
        expression: an expression that looks at one row at a time.
        schema: polars type of every column it may name.
        what: how error messages call it, for example ``feature 'hour'``.

    Raises:
        DefinitionError: it names an unknown column, looks across rows, or does not type-check.

    Example:
        >>> found = translate(pl.col("a") + 1, {"a": pl.Int64()}, "feature 'b'")
        >>> found.dtype, found.inputs, found.tree.op
        ('i64', ('a',), 'add')
    """
    if not isinstance(expression, pl.Expr):
        raise DefinitionError(f"{what} is {expression!r}", way_out="give a polars expression such as pl.col('amount')")
    inputs = tuple(dict.fromkeys(expression.meta.root_names()))
    unknown = [name for name in inputs if name not in schema]
    if unknown:
        raise DefinitionError(
            f"{what} names '{unknown[0]}'",
            why="it is neither a contract field nor a looked-up or history column, so it is unknown at decision time",
            way_out=f"use one of {', '.join(sorted(schema)[:20])}",
        )
    if not _one_row_at_a_time(expression):
        raise DefinitionError(
            f"{what} looks across rows",
            why="or calls Python code, while one row arrives alone when it is served, without your code",
            way_out="use system.history(...) for an entity's past, and polars' own operations for the rest",
        )
    text = expression.meta.undo_aliases().meta.serialize(format="json")
    dtype = _resolved(text, schema, what)
    try:
        tree = _translate(json.loads(text), schema)
    except _NoTranslationError as obstacle:
        return Expression(polars=text, inputs=inputs, dtype=dtype, obstacle=str(obstacle))
    return Expression(polars=text, inputs=inputs, dtype=dtype, tree=tree)


@functools.lru_cache(maxsize=4096)
def restore(text: str) -> pl.Expr:
    """The polars expression behind its JSON.

    Raises:
        DefinitionError: it was written by a polars whose format this one does not read.
    """
    try:
        return pl.Expr.deserialize(io.StringIO(text), format="json")
    except (pl.exceptions.ComputeError, ValueError) as error:
        raise DefinitionError(
            "a stored feature expression cannot be read",
            why=f"it was written by another polars than the installed {pl.__version__}",
            way_out="install the polars version named in the model version's environment.txt",
        ) from error


def _one_row_at_a_time(expression: pl.Expr) -> bool:
    try:
        plain = "AnonymousFunction" not in expression.meta.serialize(format="json")
        return plain and expression.meta.is_row_separable() and expression.meta.is_length_preserving()
    except pl.exceptions.PolarsError:
        return False


def evaluate(frame: pl.DataFrame, expressions: Sequence[pl.Expr]) -> pl.DataFrame:
    """Evaluate expressions so that a row's result does not depend on the rows around it.

    polars keeps a column of one row, or of one repeated value, as a constant, and divides constants where it
    otherwise multiplies by the divisor's reciprocal; the last bit may differ.  An empty row at the end, which
    is dropped again, keeps every column a column.

    Example:
        >>> rows = pl.DataFrame({"a": [0.1, 1.7]})
        >>> third = [pl.col("a") / 3]
        >>> evaluate(rows, third)[1].equals(evaluate(rows[1], third))
        True
    """
    columns = [pl.concat([column, column.clear(1)]) for column in frame.get_columns()]
    return pl.DataFrame(columns).select(expressions).head(frame.height)


def dtype_name(dtype: pl.DataType) -> str:
    """Short name of a polars type, ``f64`` for Float64; other types keep their own name."""
    if isinstance(dtype, pl.Datetime):
        return "datetime" if dtype.time_unit == "us" and dtype.time_zone is None else str(dtype)
    if isinstance(dtype, pl.Duration):
        return "duration" if dtype.time_unit == "us" else str(dtype)
    return DTYPES.get(str(dtype), str(dtype))


def _resolved(text: str, schema: Schema, what: str) -> str:
    try:
        found = pl.LazyFrame(schema=dict(schema)).select(restore(text)).collect_schema()
    except pl.exceptions.PolarsError as error:
        raise DefinitionError(
            f"{what} does not type-check",
            why=str(error).splitlines()[0],
            way_out="correct the expression or the contract's types",
        ) from error
    return dtype_name(found.dtypes()[0])


def _translate(tree: Any, schema: Schema) -> Node:
    kind: str
    body: Any
    kind, body = next(iter(tree.items())) if isinstance(tree, dict) and len(tree) == 1 else (str(tree), None)
    if kind == "Column":
        return Node(op="column", dtype=dtype_name(schema[body]), value=body)
    if kind == "Literal":
        return _literal(tree)
    builder = {"Alias": _alias, "BinaryExpr": _binary, "Ternary": _ternary, "Cast": _cast, "Function": _function}
    if kind not in builder:
        raise _NoTranslationError(kind)
    op, operands, value = builder[kind](body)
    if op == "alias":
        return _translate(operands[0], schema)
    args = tuple(_translate(operand, schema) for operand in operands)
    node = Node(op=op, dtype=_resolved(json.dumps(tree), schema, kind), args=args, value=value)
    return _supported(node)


TEMPORAL = {"datetime", "duration"}
NO_MOMENTS = {"multiply", "divide", "floor_divide", "modulo", "negate", "abs", "sign", "clip", "cast"}
LOGICAL = {"and", "or", "xor", "not", "any", "all"}


def _supported(node: Node) -> Node:
    """``node`` itself, when its types are ones for which the translation is proven."""
    types = [arg.dtype for arg in node.args]
    for dtype in (node.dtype, *types):
        if dtype not in {*DTYPES.values(), *TEMPORAL, "list"} or dtype == "f32":
            raise _NoTranslationError(f"type {dtype}")
    listed = {"is_in": (1,), "replace": (1, 2)}.get(node.op, ())
    if any((dtype == "list") != (position in listed) for position, dtype in enumerate(types)):
        raise _NoTranslationError(f"{node.op} of lists")
    if (TEMPORAL & set(types) and node.op in NO_MOMENTS) or (node.op in LOGICAL and set(types) - {"bool", "null"}):
        raise _NoTranslationError(f"{node.op} of {', '.join(types)}")
    if node.op == "clip" and node.dtype != "f64" and "f64" in types:
        raise _NoTranslationError("clip of whole numbers at a fraction")
    if node.op in {"is_in", "replace"} and types[0] not in {"str", "bool", "i64"}:
        raise _NoTranslationError(f"{node.op} of {types[0]}")
    if node.op == "cast" and not _castable(types[0], node.dtype):
        raise _NoTranslationError(f"cast from {types[0]} to {node.dtype}")
    return node


def _castable(source: str, target: str) -> bool:
    if target == "str":
        return source in {"str", "bool"} or source[0] in "iu"
    if target == "bool":
        return source == "bool" or source[0] in "iu"
    return source != "str" and target in DTYPES.values()


def _literal(tree: Any) -> Node:
    series = pl.select(restore(json.dumps(tree))).to_series()
    if series.len() != 1:
        raise _NoTranslationError("a literal of several rows")
    value, dtype = series.item(), dtype_name(series.dtype)
    if isinstance(value, pl.Series):
        return Node(op="literal", dtype="list", value=value.to_list())
    if isinstance(value, float) and not math.isfinite(value):
        raise _NoTranslationError(f"the literal {value}")
    if "Dyn" in tree["Literal"]:
        dtype = "f64" if "Float" in tree["Literal"]["Dyn"] else "i64"
    if dtype == "duration":
        value = series.to_physical().item()
    elif dtype == "datetime":
        value = value.isoformat()
    elif dtype not in DTYPES.values():
        raise _NoTranslationError(f"a literal of type {dtype}")
    return Node(op="literal", dtype=dtype, value=value)


Parts = tuple[str, list[Any], Any]


def _alias(body: Any) -> Parts:
    return "alias", [body[0]], None


def _binary(body: Any) -> Parts:
    if body["op"] not in BINARY:
        raise _NoTranslationError(f"operator {body['op']}")
    return BINARY[body["op"]], [body["left"], body["right"]], None


def _ternary(body: Any) -> Parts:
    return "when", [body["predicate"], body["truthy"], body["falsy"]], None


def _cast(body: Any) -> Parts:
    return "cast", [body["expr"]], "strict" if body["options"] == "Strict" else "lenient"


def _function(body: Any) -> Parts:
    function, operands = body["function"], body["input"]
    name, options = _named(function)
    if name in FUNCTIONS and options is None:
        return FUNCTIONS[name], operands, None
    family, _, member = name.partition(".")
    if family == "TemporalExpr" and member in TOTALS and not options.get("fractional"):
        return "total", operands, TOTALS[member]
    if name == "TemporalExpr.TimeStamp" and options == "Microseconds":
        return "epoch_us", operands, None
    if name == "Boolean.IsBetween":
        return "between", operands, options["closed"].lower()
    if name == "Boolean.IsIn" and not options.get("nulls_equal"):
        return "is_in", operands, None
    if name == "Clip":
        return "clip", operands, [options["has_min"], options["has_max"]]
    if name == "StringExpr.Contains" and options.get("literal"):
        return "contains", operands, None
    if name == "ReplaceStrict":
        return "replace", operands, None
    if name in CONSTANTS:
        return _with_constants(name, operands)
    if name == "StringExpr.ConcatHorizontal" and not options["ignore_nulls"]:
        return "concat", operands, options["delimiter"]
    if name == "StringExpr.Replace" and options["literal"]:
        return _replacing(operands, options["n"])
    raise _NoTranslationError(name)


def _with_constants(name: str, operands: list[Any]) -> Parts:
    """Functions whose further operands have to be constants."""
    given = [_constant(operand) for operand in operands[1:]]
    if name == "StringExpr.StripChars" and given == [None]:
        return "strip", operands[:1], None
    if name == "TemporalExpr.Truncate" and (span := SPAN.fullmatch(str(given[0]))):
        return "truncate", operands[:1], int(span[1]) * SPANS[span[2]]
    bounds = [0, *given] if name == "StringExpr.Head" else given
    if name != "TemporalExpr.Truncate" and all(isinstance(part, int) and part >= 0 for part in bounds):
        return "slice", operands[:1], [bounds[0], sum(bounds)]
    if name == "StringExpr.Slice" and isinstance(given[0], int) and given[0] >= 0 and given[1] is None:
        return "slice", operands[:1], [given[0], None]
    raise _NoTranslationError(f"{name} of {', '.join(map(repr, given))}")


def _replacing(operands: list[Any], most: int) -> Parts:
    old, new = (_constant(operand) for operand in operands[1:])
    if not old or new is None or "$" in new:
        raise _NoTranslationError("StringExpr.Replace of nothing, or with a reference")
    return "replace_text", operands[:1], [old, new, most]


def _constant(operand: Any) -> Any:
    if "Literal" not in operand:
        raise _NoTranslationError("an option that is not constant")
    return pl.select(restore(json.dumps(operand))).item()


def _named(function: Any) -> tuple[str, Any]:
    """``{"TemporalExpr": {"TotalDays": {...}}}`` -> ``("TemporalExpr.TotalDays", {...})``."""
    if isinstance(function, str):
        return function, None
    name, body = next(iter(function.items()))
    if name in {"Boolean", "TemporalExpr", "StringExpr", "Trigonometry", "Pow"}:
        member, options = _named(body)
        return f"{name}.{member}", options
    return name, body
