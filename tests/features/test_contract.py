"""Contracts: what may be said, and that batch and row judge alike."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bluegold as bg
from bluegold.core.errors import DataError, DefinitionError, FieldError
from bluegold.features.checks import check_of
from bluegold.features.contract import clean_frame
from bluegold.features.fields import ContractSpec, FieldSpec
from bluegold.features.row import RowProgram

VALUES = {
    "shop": st.none() | st.sampled_from(["north", "south", "east", ""]),
    "kind": st.none() | st.sampled_from(["a", "b", "é", "new"]),
    "amount": st.none() | st.floats(-100, 1200) | st.sampled_from([math.nan, math.inf, -50.0, 1000.0, -0.0]),
    "pieces": st.none() | st.integers(-3, 30),
    "client": st.none() | st.text(st.characters(codec="ascii"), max_size=14),
    "member": st.none() | st.booleans(),
    "at": st.none() | st.datetimes(dt.datetime(1890, 1, 1), dt.datetime(2210, 1, 1)),
}
TYPES = {
    "shop": pl.String,
    "kind": pl.String,
    "amount": pl.Float64,
    "pieces": pl.Int64,
    "client": pl.String,
    "member": pl.Boolean,
    "at": pl.Datetime("us"),
}


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=8))
def test_batch_and_row_judge_alike(fitted: Any, rows: list[dict[str, Any]]) -> None:
    program, _, _ = fitted
    online = RowProgram(program)
    found = program.clean(pl.DataFrame(rows, schema=TYPES))
    valid = {row["_row"]: row for row in found.valid.iter_rows(named=True)}
    for number, row in enumerate(rows):
        if number not in valid:
            reasons = found.quarantine.filter(pl.col("_row") == number)["_reasons"].to_list()[0]
            names = [reason.split(":")[0] for reason in reasons]
            with pytest.raises(FieldError) as caught:
                online.clean(dict(row))
            assert caught.value.field in names or "rule" in names
            continue
        values, flags = online.clean(dict(row))
        assert {name: valid[number][name] for name in program.contract.names} == values
        assert sorted(valid[number]["_flags"]) == sorted(flags)


def test_every_reason_and_flag_is_named_and_counted(sales: Any) -> None:
    good = {"shop": "north", "kind": "a", "amount": 5.0, "pieces": 1, "client": "x", "member": True}
    rows = pl.DataFrame(
        [
            good | {"at": "2024-01-01T00:00:00Z"},
            good | {"at": "2024-01-01T00:00:00Z", "shop": "east"},
            good | {"at": "later", "amount": -200.0},
            good | {"at": "2024-01-01 10:00:00", "amount": 5000.0, "pieces": 40, "kind": None},
        ]
    )
    found = clean_frame(sales.Sale, rows)
    assert found.valid["_row"].to_list() == [0, 3]
    assert found.quarantine["_reasons"].to_list() == [["shop:unknown"], ["at:type", "rule:paid"]]
    assert found.valid["_flags"].to_list() == [[], ["kind:missing", "amount:clipped", "pieces:outside"]]
    assert found.valid["amount"].to_list() == [5.0, 1000.0]
    assert found.counts["rows"] == 4
    assert found.counts["amount:clipped"] == 1
    assert "shop" in found.quarantine.columns


def test_whole_columns_that_cannot_be_used(sales: Any) -> None:
    rows = sales.data(5).rows
    with pytest.raises(DataError, match="column 'shop' is missing"):
        clean_frame(sales.Sale, rows.drop("shop"))
    with pytest.raises(DataError, match="column 'amount' has type List"):
        clean_frame(sales.Sale, rows.with_columns(amount=pl.concat_list("amount")))
    assert clean_frame(sales.Sale, rows.drop("client")).valid["_flags"].list.contains("client:missing").all()


def test_moments_of_other_zones_become_utc(sales: Any) -> None:
    rows = sales.data(3).rows
    zoned = rows.with_columns(pl.col("at").dt.replace_time_zone("Europe/Madrid"))
    found = clean_frame(sales.Sale, zoned).valid["at"].to_list()
    assert found == [moment - dt.timedelta(hours=1) for moment in rows["at"].to_list()]


def test_definitions_that_cannot_mean_what_they_say() -> None:
    with pytest.raises(DefinitionError, match="has no fields"):
        type("Empty", (bg.Contract,), {})
    with pytest.raises(DefinitionError, match="annotated 'str'"):
        type("Wrong", (bg.Contract,), {"__annotations__": {"a": str}, "a": bg.number()})
    with pytest.raises(DefinitionError, match="lists no levels"):
        bg.category(unknown="refuse")
    with pytest.raises(DefinitionError, match="allows nothing"):
        bg.number(ge=2, le=1)
    with pytest.raises(DefinitionError, match="names 'b'"):
        type(
            "Rule",
            (bg.Contract,),
            {"__annotations__": {"a": float}, "a": bg.number(), "rules": (bg.rule("r", pl.col("b") > 0),)},
        )


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([1.0, 2.0, 3.0], "has 3 numbers"),
        ([[1.0, 2.0], [3.0, None]], "NoneType"),
        ([[1.0, 2.0], [3.0, [4.0]]], "a list"),
        ([[1.0, 2.0], [3.0, True]], "a bool"),
        ([[1.0, 2.0], [3.0, 10**400]], "an infinite number"),
        ([[1.0, 2.0], [3.0, math.inf]], "an infinite number"),
        ([[1.0, 2.0], [3.0, 9.0]], "outside 0 to 5"),
        (None, "is missing"),
    ],
)
def test_an_array_of_another_shape_or_content_is_refused(value: Any, why: str) -> None:
    check = check_of(FieldSpec(name="image", kind="array", shape=(2, 2), ge=0.0, le=5.0))
    with pytest.raises(FieldError, match=why):
        check({"image": value}, [])
    deep: Any = 1.0
    for _ in range(900):
        deep = [deep]
    with pytest.raises(FieldError):
        check({"image": deep}, [])


def test_an_array_may_come_nested_or_flat() -> None:
    check = check_of(FieldSpec(name="image", kind="array", shape=(2, 2), le=5.0, outside="clip"))
    for value in ([[1, 2], [3, 9]], [1, 2, 3, 9]):
        values, flags = {"image": value}, list[str]()
        check(values, flags)
        assert (values, flags) == ({"image": [1.0, 2.0, 3.0, 5.0]}, ["image:clipped"])


def test_columns_of_other_types_are_cleaned_as_what_they_say() -> None:
    kind = FieldSpec(name="kind", kind="category", levels=("a", "b"), unknown="refuse")
    fields = (kind, FieldSpec(name="amount", kind="number", ge=0))
    spec = ContractSpec(name="T", description="", fields=fields)
    frame = pl.DataFrame({"kind": ["a", "b", "c", None], "amount": [1.25, 2.5, 3.0, -1.0]})
    plain = clean_frame(spec, frame)
    assert plain.quarantine["_row"].to_list() == [2, 3]
    for text in (pl.Categorical(), pl.Enum(["a", "b", "c"])):
        for amount in (pl.Decimal(12, 2), pl.Float32()):
            found = clean_frame(spec, frame.with_columns(pl.col("kind").cast(text), pl.col("amount").cast(amount)))
            assert found.valid.equals(plain.valid)
            assert found.quarantine["_reasons"].to_list() == plain.quarantine["_reasons"].to_list()
