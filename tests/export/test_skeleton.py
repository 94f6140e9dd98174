"""A new system's first definition loads and says what its data say."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from bluegold.core.errors import DataError, UsageError
from bluegold.export.skeleton import skeleton
from bluegold.features.loader import load_system


def test_the_starter_loads_and_has_rows(tmp_path: Path) -> None:
    skeleton("churn", tmp_path / "churn")
    system = load_system(tmp_path / "churn")
    data = system.load()
    assert data.rows.height > 100
    assert system.labels(data.rows).n_unique() == 2


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_contract_is_read_off_a_file(tmp_path: Path, suffix: str) -> None:
    rows = pl.DataFrame(
        {
            "age": [31, 45, None, 22],
            "plan": ["basic", 'pro "x"', "basic", None],
            "since": [dt.datetime(2020, 1, day) for day in (1, 2, 3, 4)],
            "class": [1.0, 2.0, 3.0, 4.0],
            "left": [1, 0, 0, 1],
        }
    )
    file = tmp_path / f"customers.{suffix}"
    rows.write_csv(file) if suffix == "csv" else rows.write_parquet(file)
    skeleton("churn", tmp_path / "churn", data=file, target="left")
    system = load_system(tmp_path / "churn")
    fields = {field.name: field for field in system.contract.fields}
    assert set(fields) == {"age", "plan", "since"}  # `class` is a Python keyword and left out with a comment
    assert (fields["age"].ge, fields["age"].le, fields["age"].missing) == (22, 45, "flag")
    assert fields["plan"].levels == ("basic", 'pro "x"')
    assert fields["since"].kind == "time"
    assert system.labels(system.load().rows).to_list() == [True, False, False, True]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    skeleton("churn", tmp_path)
    before = (tmp_path / "pipeline.py").read_bytes()
    with pytest.raises(UsageError, match="is there already"):
        skeleton("other", tmp_path)
    assert (tmp_path / "pipeline.py").read_bytes() == before


def test_bad_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be a system's name"):
        skeleton("Bad Name", tmp_path / "x")
    with pytest.raises(DataError, match="there is no file"):
        skeleton("x", tmp_path / "x", data=tmp_path / "none.csv", target="y")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"not parquet")
    with pytest.raises(DataError, match="cannot be read"):
        skeleton("x", tmp_path / "x", data=broken, target="y")
    small = tmp_path / "small.csv"
    small.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no column 'c'"):
        skeleton("x", tmp_path / "x", data=small, target="c")
    assert not (tmp_path / "x").exists()
