"""Rows of look-up tables read from the online store in bulk are those that were stored."""

from __future__ import annotations

from pathlib import Path

import msgspec
import polars as pl
import pytest

from bluegold.features.keys import entity_key, moment_key
from bluegold.features.specs import ColumnSpec, LookupSpec
from bluegold.features.stored_rows import stored_rows
from bluegold.stores.key_value_lmdb import KeyValueLmdb

FLOATS = [(0.5, -1.0), (None, 2.0), (1e300, 0.1), (None, None)]
MIXED = [(0.5, "x"), (None, "y"), (1.5, None), (-0.0, "")]


@pytest.mark.parametrize(("rows", "types"), [(FLOATS, ("f64", "f64")), (MIXED, ("f64", "str"))])
def test_what_was_stored_comes_back(tmp_path: Path, rows: list[tuple[object, object]], types: tuple[str, str]) -> None:
    columns = tuple(ColumnSpec(name=f"v{place}", dtype=dtype) for place, dtype in enumerate(types))
    spec = LookupSpec(table="t", by=("k",), columns=columns, at="at")
    store = KeyValueLmdb(tmp_path / "kv", durable=False)
    for key in ("a", "b"):
        for at, row in enumerate(rows):
            store.put(spec.stream + entity_key((key,)) + moment_key(100 * at - 50), msgspec.msgpack.encode(row))
    asking = pl.DataFrame({"k": ["a", None, "c", "a"]})
    with store.snapshot() as state:
        found = stored_rows(state, spec, asking, (60, 250))
    store.close()
    assert found["k"].to_list() == ["a"] * 3  # the one before the span, and those inside
    assert found["at"].to_physical().to_list() == [50, 150, 250]
    assert list(found.select("v0", "v1").iter_rows()) == rows[1:]
