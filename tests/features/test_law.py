"""The law of one definition: whatever is defined and whatever comes, a row alone means what it means in a frame.

Contracts, features, histories, lookups and rows are drawn by chance.  Cleaning must agree on who is refused and what
is flagged, and the model's input must agree to the bit, through JSON, the online store and the closures.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bluegold as bg
from bluegold.core.errors import FieldError
from bluegold.features.cleaning import clean_frame
from bluegold.features.parity import parity
from bluegold.features.program import FeatureProgram, fit_program
from bluegold.features.row import RowProgram

x, n, k, s, t, f = (pl.col(name) for name in "xnkstf")
NUMBERS = [
    x, n, x + n, x - 0.1, n * n, x / n, x // 3, n % 7, n // n, -x, x.abs(), x.sqrt(), x.log(), x.exp(), x.tanh(),
    x.floor(), n.cast(pl.Float64), x.clip(-1, 1), n.clip(0, 9), x.fill_null(0.0), pl.coalesce("x", "n"), x.is_nan(),
    pl.when(x > n).then(x).otherwise(n), pl.max_horizontal("x", "n"), x.is_between(-1, 1), n.is_in([1, 2, 3]), ~f, f,
    f & (x > 0), f.cast(pl.Int64) + n, t.dt.hour(), t.dt.weekday(), t.dt.ordinal_day(), t.dt.iso_year(),
    (t - t.dt.truncate("1h")).dt.total_minutes(), s.str.len_chars(), s.str.len_bytes(),
    s.str.contains("a", literal=True),
    s.is_null(), k == "a", pl.col("temp") * x, pl.col("usual") - x, x > pl.col("usual"), pl.col("usual").is_null(),
    x.round(1), x**2, pl.sum_horizontal("x", "n"),  # these go through polars, row by row
]  # fmt: skip
WORDS = [
    k, k + "!", s.str.head(2), s.str.to_lowercase(), s.str.strip_chars(), pl.concat_str(["k", "s"], separator="/"),
    pl.when(f).then(k).otherwise(s), s.fill_null("none"), k.replace_strict({"a": "A"}, default="other"),
    n.cast(pl.String),
]  # fmt: skip
AGGREGATES = [x.mean(), x.sum(), (x * 1.5).max(), n.min(), x.count(), pl.len()]
EDGES = [0.0, -0.0, 0.1, 1e300, -1e300, 5e-324, float("nan"), float("inf"), float("-inf"), 2.5, -3.0]
START = dt.datetime(2024, 2, 28, 23)


@st.composite
def systems(draw: st.DrawFn) -> bg.System:
    """A system of any shape."""
    outside = st.sampled_from(["refuse", "clip", "flag"])
    body = {
        "__annotations__": {
            "x": "float",
            "n": "int",
            "k": "str",
            "s": "str",
            "t": "datetime",
            "f": "bool",
            "v": "list",
        },
        "x": bg.number(ge=draw(st.sampled_from([None, -10.0])), le=1e301, outside=draw(outside), missing="flag"),
        "n": bg.number(ge=-(2**40), le=draw(st.sampled_from([5, 2**40])), outside=draw(outside), missing="flag"),
        "k": bg.category(*draw(st.sampled_from([(), ("a", "b")])), unknown="flag", missing="flag"),
        "s": bg.text(max_length=8, missing="flag"),
        "t": bg.time(utc=draw(st.booleans())),
        "f": bg.flag(missing="flag"),
        "v": bg.array(shape=(2, 2), ge=0, le=draw(st.sampled_from([None, 5.0])), outside=draw(outside), missing="flag"),
    }
    made = bg.System("law", contract=type("Row", (bg.Contract,), body), target=pl.col("y") > 0, time="t")
    for place, expression in enumerate(draw(st.lists(st.sampled_from(NUMBERS + WORDS), min_size=6, max_size=20))):
        made.feature(f"e{place}", expression)
    window = draw(st.sampled_from(["7m", "3h", "2d"]))
    made.history("usual", x.mean(), by="k", window=window)
    made.history("past", draw(st.sampled_from(AGGREGATES)), by=draw(st.sampled_from(["k", ("k", "f")])), window=window)
    made.lookup("air", by="k", at="at", within=draw(st.sampled_from(["", "2h"])), columns=("temp", "sky"))
    made.use("v")
    made.words("s", most=3)
    return made


ROW = st.fixed_dictionaries(
    {
        "x": st.none() | st.sampled_from(EDGES) | st.floats(-1e6, 1e6),
        "n": st.none() | st.integers(-3, 9) | st.sampled_from([2**40, 2**53, -(2**41)]),
        "k": st.none() | st.sampled_from(["a", "b", "c", ""]),
        "s": st.none() | st.sampled_from(["a", " A b ", "é\u2003", "a b\x1c", "too long a text"]) | st.text(max_size=6),
        "t": st.integers(-300, 300).map(lambda m: START + dt.timedelta(minutes=m, microseconds=m % 3)),
        "f": st.none() | st.booleans(),
        "v": st.none() | st.lists(st.sampled_from([0.0, -0.0, 1.5, 6.0, -1.0]), min_size=4, max_size=4),
    }
)
TYPES = {"x": pl.Float64, "n": pl.Int64, "k": pl.String, "s": pl.String, "t": pl.Datetime("us"), "f": pl.Boolean}
AIR = pl.DataFrame(
    {
        "k": ["a", "b", "a", "a"],
        "at": [START - dt.timedelta(hours=h) for h in (3, 2, 1, 0)],
        "temp": [1.5, None, -0.0, 7.25],
        "sky": ["sun", "rain", None, "sun"],
    }
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(system=systems(), rows=st.lists(ROW, min_size=2, max_size=25))
def test_one_definition_has_one_meaning(system: bg.System, rows: list[dict[str, Any]]) -> None:
    words = {"s": "a b", "t": START, "v": [0.0, 1.0, 2.0, 3.0], "k": "a", "x": 1.0, "n": 1, "f": True}
    rows = [words, words, *rows]  # two that every contract takes, so that there is something to learn from
    frame = pl.DataFrame(rows, schema={**TYPES, "v": pl.List(pl.Float64)})
    cleaned = clean_frame(system.contract, frame)
    tables = {"air": AIR}
    program = FeatureProgram.from_json(fit_program(system, cleaned.valid, tables).to_json())
    assert_same_cleaning(program, frame, rows)
    report = parity(program, cleaned.valid, tables)
    assert report.examples == ()
    assert report.rows == cleaned.valid.height
    slow = [
        name for name in ("round", "pow", "sum_horizontal") if any(name in str(e.expression) for e in system.features)
    ]
    assert bool(report.fallbacks) == bool(slow)


def assert_same_cleaning(program: FeatureProgram, frame: pl.DataFrame, rows: list[dict[str, Any]]) -> None:
    batch = program.clean(frame).valid
    wanted = {row["_row"]: row for row in batch.iter_rows(named=True)}
    online = RowProgram(program)
    for number, row in enumerate(rows):
        try:
            values, flags = online.clean(dict(row))
        except FieldError:
            assert number not in wanted, row
            continue
        if row["x"] in {float("inf"), float("-inf")}:
            raise AssertionError("an infinite number was taken")
        assert number in wanted, row
        assert sorted(flags) == sorted(wanted[number]["_flags"])
        same = {name: wanted[number][name] for name in program.contract.names}
        assert msgspec.msgpack.encode(values) == msgspec.msgpack.encode(same)
