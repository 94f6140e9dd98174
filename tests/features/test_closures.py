"""One row compiled to closures means exactly what polars means on frames."""

from __future__ import annotations

import datetime as dt
import math
import struct

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegold.features.closures import compile_tree
from bluegold.features.translate import evaluate, translate

SCHEMA = {
    "x": pl.Float64(),
    "y": pl.Float64(),
    "i": pl.Int64(),
    "j": pl.Int64(),
    "s": pl.String(),
    "r": pl.String(),
    "k": pl.Boolean(),
    "l": pl.Boolean(),
    "t": pl.Datetime("us"),
    "u": pl.Datetime("us"),
}
x, y, i, j, s, r, k, l, t, u = (pl.col(name) for name in SCHEMA)  # noqa: E741 - one letter a column
MOMENT = dt.datetime(2013, 6, 1)

EXPRESSIONS = [
    x + y, x - 1, x * y, x / y, x // y, x % y, -x, x + i, i / j, x * 3, 2 - x, x // 2, x % 7,
    i + j, i - 3, i * j, i // j, i % j, i // 7, i % 7, -i, i.abs(), x.abs(), i * 2.5,
    x > y, x >= y, x < y, x <= y, x == y, x != y, i > j, i == j,
    i >= 2.5, x < i, s > r, s == "a", s != r, t < u, t >= MOMENT,
    x.eq_missing(y), x.ne_missing(y), s.eq_missing(r), i.ne_missing(j),
    k & l, k | l, k ^ l, ~k, pl.any_horizontal("k", "l"), pl.all_horizontal("k", "l"), (x > 0) & (i < 5),
    x.is_null(), s.is_not_null(), x.is_nan(), x.is_not_nan(), x.is_finite(), x.is_infinite(), (x / y).is_nan(),
    x.fill_null(0), i.fill_null(0.5), s.fill_null("none"), pl.coalesce("x", "i", "y"), pl.coalesce("s", "r"),
    pl.when(k).then(x).otherwise(y), pl.when(x > 0).then(1).when(x < 0).then(-1.5).otherwise(None),
    pl.when(k).then(i).otherwise(x), pl.when(i > 3).then(s).otherwise(r), pl.when(k | l).then(pl.lit("a")).otherwise(s),
    x.floor(), x.ceil(), x.sign(), i.sign(), x.sqrt(), i.sqrt(), x.exp(), x.log(), x.log1p(), x.log(10), i.log(),
    x.sin(), x.cos(),
    x.clip(-1, 1), x.clip(lower_bound=0), x.clip(upper_bound=y), i.clip(0, 5), x.clip(y, 10),
    pl.min_horizontal("x", "y"), pl.max_horizontal("x", "y", "i"), pl.max_horizontal("i", 0), (x / y).clip(0, 1),
    pl.min_horizontal(x / y, i), pl.max_horizontal(x / y, y),
    x.is_between(0, 1), x.is_between(y, 10, closed="left"), i.is_between(-2, 2, closed="none"), t.is_between(u, MOMENT),
    i.is_in([1, 2, 3]), s.is_in(["a", "b"]), ~s.is_in(["a", "é"]), i.is_in([1, None]),
    x.cast(pl.Int64, strict=False), i.cast(pl.Float64), k.cast(pl.Int64), i.cast(pl.Int8, strict=False),
    i.cast(pl.Boolean), i.cast(pl.String), k.cast(pl.String), x.cast(pl.UInt16, strict=False), k.cast(pl.Float64),
    t.dt.year(), t.dt.quarter(), t.dt.month(), t.dt.week(), t.dt.weekday(), t.dt.ordinal_day(), t.dt.day(), t.dt.hour(),
    t.dt.minute(), t.dt.second(), t.dt.hour() * 60, t.dt.hour() * 60 + t.dt.minute(), t.dt.hour() / 24,
    t.dt.hour().cast(pl.Int64) * 60 + t.dt.minute(), t.dt.month() - 13, t.dt.minute() // 7, t.dt.minute() % 7,
    (t - u).dt.total_days(), (t - u).dt.total_hours(), (t - u).dt.total_minutes(), (t - u).dt.total_seconds(),
    (t - u).dt.total_microseconds(), t + dt.timedelta(hours=1) > u,
    t - dt.timedelta(days=40) < u, (t - u) > dt.timedelta(days=3),
    (t - MOMENT).dt.total_minutes() / 60, t.dt.timestamp("us") / 3.6e9,
    s.str.to_lowercase(), s.str.to_uppercase(), s.str.len_chars(), s.str.len_chars() - 3, s.str.starts_with("a"),
    s.str.ends_with("b"), s.str.contains("a", literal=True), s + "-" + r,
    x.tan(), x.arctan(), x.tanh(), x.degrees(), x.radians(), i.tan(),
    t.dt.millisecond(), t.dt.microsecond(), t.dt.is_leap_year(), t.dt.iso_year(), t.dt.days_in_month(),
    t.dt.truncate("1h"), t.dt.truncate("1d"), t.dt.truncate("15m"), t.dt.truncate("7s") < u,
    s.str.strip_chars(), s.str.len_bytes(), s.str.reverse(), s.str.head(2), s.str.slice(1, 2), s.str.slice(1),
    s.str.replace("a", "xy", literal=True), s.str.replace_all("a", "", literal=True),
    pl.concat_str(["s", "r"], separator="-"), pl.concat_str([s.str.to_uppercase(), r]),
    s.replace_strict({"a": 1, "b": 2}, default=0), s.replace_strict({"a": 1.5, "b": 2}, default=None),
    i.replace_strict({1: 10, 2: 20}, default=i), k.replace_strict({True: "yes", False: "no"}, default="none"),
    ((x - y).abs() / (i.abs() + 1)).fill_nan(None), (x > 0).cast(pl.Int64) + (y > 0).cast(pl.Int64),
]  # fmt: skip

SMALL = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, 1e300, -1e300, 5e-324, 3.0, 60.0, 0.1])
FLOATS = st.none() | SMALL | st.floats(allow_nan=False, allow_infinity=False)
WHOLES = st.none() | st.integers(-4, 4) | st.integers(-(2**31), 2**31)
TEXTS = (
    st.none()
    | st.sampled_from(["a", "b", "", "A", "é", "ab", "a\x1c", " \u2003b"])
    | st.text(st.characters(codec="ascii"), max_size=6)
)
TIMES = st.none() | st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2199, 12, 31))
BOOLS = st.none() | st.booleans()
ROWS = st.lists(
    st.fixed_dictionaries(
        {"x": FLOATS, "y": FLOATS, "i": WHOLES, "j": WHOLES, "s": TEXTS, "r": TEXTS}
        | {"k": BOOLS, "l": BOOLS, "t": TIMES, "u": TIMES}
    ),
    min_size=1,
    max_size=12,
)


def exact(value: object) -> object:
    """A value that is equal only to the same bits (all NaN are one)."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack(">d", value)
    if isinstance(value, dt.timedelta):
        return value // dt.timedelta(microseconds=1)
    return (type(value).__name__, value)


TRANSLATED = [translate(expression, SCHEMA, "it") for expression in EXPRESSIONS]
assert all(found.tree is not None for found in TRANSLATED), [found.obstacle for found in TRANSLATED if found.obstacle]
CLOSURES = [compile_tree(found.tree) for found in TRANSLATED if found.tree is not None]


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_every_operation(rows: list[dict]) -> None:
    named = [expression.alias(str(number)) for number, expression in enumerate(EXPRESSIONS)]
    batch = evaluate(pl.DataFrame(rows, schema=SCHEMA), named)
    for expression, closure, column in zip(EXPRESSIONS, CLOSURES, batch.get_columns(), strict=True):
        for row, wanted in zip(rows, column.to_list(), strict=True):
            assert exact(closure(row)) == exact(wanted), (str(expression), row)


def numbers() -> st.SearchStrategy[pl.Expr]:
    leaves = st.sampled_from([x, y, i, j, t.dt.hour(), t.dt.ordinal_day(), s.str.len_chars(), (t - u).dt.total_hours()])
    constants = st.sampled_from([0, 1, -3, 7, 0.5, 2.5, 1e6])

    def grow(inner: st.SearchStrategy[pl.Expr]) -> st.SearchStrategy[pl.Expr]:
        operations = [pl.Expr.__add__, pl.Expr.__sub__, pl.Expr.__mul__, pl.Expr.__truediv__]
        pair = st.tuples(st.sampled_from(operations), inner, inner | constants)
        return (
            pair.map(lambda p: p[0](p[1], p[2]))
            | inner.map(lambda e: e.abs())
            | st.tuples(inner, inner).map(lambda p: pl.when(p[0] > p[1]).then(p[0]).otherwise(p[1]))
            | st.tuples(inner, constants).map(lambda p: p[0].cast(pl.Float64).fill_null(p[1]))
            | st.tuples(inner, inner).map(lambda p: pl.coalesce(p[0], p[1]))
        )

    return st.recursive(leaves, grow, max_leaves=6)


@settings(max_examples=80, deadline=None)
@given(expression=numbers(), rows=ROWS)
def test_random_trees(expression: pl.Expr, rows: list[dict]) -> None:
    translated = translate(expression, SCHEMA, "it")
    assert translated.tree is not None, translated.obstacle
    closure = compile_tree(translated.tree)
    batch = evaluate(pl.DataFrame(rows, schema=SCHEMA), [expression]).to_series().to_list()
    for row, wanted in zip(rows, batch, strict=True):
        assert exact(closure(row)) == exact(wanted), row


@pytest.mark.parametrize(
    "expression",
    [
        *(x.round(2), x**2, x.cbrt(), pl.sum_horizontal("x", "y"), x.cast(pl.Float32)),
        *(
            t.dt.truncate("1w"),
            t.dt.date(),
            s.str.slice(-2),
            s.str.contains("^a"),
            s.str.head(i),
            s.str.replace("a", "$0", literal=True),
        ),
    ],
)
def test_what_is_not_proven_is_not_translated(expression: pl.Expr) -> None:
    found = translate(expression, SCHEMA, "it")
    assert found.tree is None
    assert found.obstacle
