"""Request bodies: what is wrong is named; nothing ever escapes as another error."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegold.core.errors import DataError, FieldError
from bluegold.features.row import RowProgram

GOOD = {
    "shop": "north",
    "kind": "a",
    "amount": 5.0,
    "pieces": 1,
    "client": "x",
    "member": True,
    "at": "2024-01-02T10:00:00Z",
}


@pytest.fixture(scope="module")
def row(fitted: Any) -> RowProgram:
    return RowProgram(fitted[0])


def body(**changes: Any) -> bytes:
    return msgspec.json.encode({**GOOD, **changes})


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (body(amount="five"), "amount"),
        (body(pieces=1.5), "pieces"),
        (body(at="yesterday"), "at"),
        (body(member="yes"), "member"),
        (body(colour="red"), "colour"),
        (body(shop=None), "shop"),
        (b'{"shop": "north"}', "pieces"),
        (b'{"rows": [' + body() + b"," + body(amount=[]) + b"]}", "rows[1].amount"),
        (b'{"rows": [{"shop": "north"}]}', "rows[0].pieces"),
        (b'{"rows": []}', "rows"),
        (b'{"rows": [' + b",".join([body()] * 1001) + b"]}", "rows"),
        (body(pieces=2**70), "pieces"),
        (body()[:-1] + b',"shop":"south"}', "shop"),
        (body()[:-1] + b',"sh\\u006fp":"south"}', "shop"),
        (body()[:-1] + b', "amount" : 7.0}', "amount"),
        (body()[:-1].replace(b',"member":true', b"") + b',"amount":7.0}', "amount"),
        (b'{"rows": [' + body() + b"," + body()[:-1] + b',"kind":"b"}]}', "kind"),
        (b'{"rows": [' + body() + b'], "rows": [' + body() + b"]}", "rows"),
    ],
)
def test_the_wrong_field_is_named(row: RowProgram, sent: bytes, field: str) -> None:
    with pytest.raises(FieldError) as caught:
        row.decode(sent)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "sent", [b"", b"{", b"[]", b"7", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"amount": 1e999}']
)
def test_what_is_no_record_is_said_so(row: RowProgram, sent: bytes) -> None:
    with pytest.raises(DataError):
        row.decode(sent)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"shop": "east"}, "shop"),
        ({"client": "x" * 13}, "client"),
        ({"at": "1492-10-12T00:00:00Z"}, "at"),
        ({"amount": -45}, "amount"),
    ],
)
def test_the_contract_names_the_refused_field(row: RowProgram, changes: dict[str, Any], field: str) -> None:
    [decoded] = row.decode(body(**changes))
    with pytest.raises(FieldError) as caught:
        row.clean(decoded)
    assert caught.value.field == field


def test_many_rows_and_absent_optional_fields(row: RowProgram) -> None:
    rows = row.decode(
        b' {"rows" : [' + body() + b"," + b'{"shop":"south","pieces":3,"at":"2024-01-02T10:00:00+02:00"}' + b"]}"
    )
    values, flags = row.clean(rows[1])
    assert str(values["at"]) == "2024-01-02 08:00:00"
    assert flags == ("kind:missing", "amount:missing", "client:missing", "member:missing")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "rows", "x"]), inner, max_size=8)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(sent=JSON.map(msgspec.json.encode) | st.binary(max_size=40) | JSON.map(lambda v: body(amount=v, at=v, pieces=v)))
def test_nothing_else_ever_escapes(row: RowProgram, sent: bytes) -> None:
    try:
        for decoded in row.decode(sent):
            row.clean(decoded)
    except DataError:
        pass


def test_values_that_look_like_fields_are_values(row: RowProgram) -> None:
    for sent in (body(shop="kind"), body(client='"shop":'), body(kind='"amount"'), body(client="caf\u00e9 \\u0041")):
        assert len(row.decode(sent)) == 1
