"""The quick look at a row may only pass what the checks leave as it is."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bluegold.core.errors import FieldError
from bluegold.features.checks import check_of
from bluegold.features.fields import FieldSpec
from bluegold.features.quick import quick_of

FIELDS = (
    FieldSpec(name="limited", kind="number", ge=0, le=10, outside="clip"),
    FieldSpec(name="open number", kind="number", missing="flag"),
    FieldSpec(name="whole", kind="number", integer=True, le=3, outside="flag"),
    FieldSpec(name="listed", kind="category", levels=("a", "b")),
    FieldSpec(name="learned", kind="category", unknown="flag"),
    FieldSpec(name="words'; oops(", kind="text", max_length=3, missing="flag"),
    FieldSpec(name="yes", kind="flag"),
    FieldSpec(name="local", kind="time"),
    FieldSpec(name="utc", kind="time", utc=True),
)
KNOWN = {"learned": ("x", "y")}
COMPILED = [(field, quick_of([field], KNOWN), check_of(field, KNOWN.get(field.name, ()))) for field in FIELDS]
ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 12),
    st.sampled_from([0.0, -0.0, 10.0, 10.000001, -1.5, math.inf, -math.inf, math.nan, 1e308]),
    st.sampled_from(["a", "b", "x", "abcd", "abc", ""]),
    st.datetimes(dt.datetime(1880, 1, 1), dt.datetime(2230, 1, 1)),
    st.datetimes(timezones=st.just(dt.timezone(dt.timedelta(hours=2)))),
)


@settings(max_examples=300, deadline=None)
@given(value=ANY)
def test_what_passes_is_left_alone(value: Any) -> None:
    for field, quick, check in COMPILED:
        values: dict[str, Any] = {field.name: value}
        passes, flags = quick(values), list[str]()
        try:
            check(values, flags)
        except FieldError:
            assert not passes
            continue
        if passes:
            assert not flags
            assert values[field.name] is value


def test_a_row_in_order_passes() -> None:
    row = {
        "limited": 3.0,
        "open number": -7.5,
        "listed": "b",
        "learned": "x",
        "words'; oops(": "abc",
        "yes": False,
        "local": dt.datetime(2024, 1, 1),
        "utc": dt.datetime(2024, 1, 1),
    }
    fields = [field for field in FIELDS if field.name != "whole"]
    assert quick_of(fields, KNOWN)(row)
    for name in row:
        assert not quick_of(fields, KNOWN)({**row, name: None})
