"""Systems: the leak guard, splits, sources and what a definition may not say."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

import bluegold as bg
from bluegold.core.errors import DataError, DefinitionError
from bluegold.features.contract import clean_frame
from bluegold.features.program import FeatureProgram, fit_program


def fit(system: bg.System, data: bg.Data) -> FeatureProgram:
    return fit_program(system, clean_frame(system.contract, data.rows).valid, data.tables)


def test_source_columns_outside_the_contract_can_never_be_features(sales: Any) -> None:
    system = sales.system()
    system.feature("leak", pl.col("returned") * 2)
    with pytest.raises(DefinitionError, match="feature 'leak' names 'returned'"):
        fit(system, sales.data(50))


def test_the_target_cannot_be_a_contract_field(sales: Any) -> None:
    with pytest.raises(DefinitionError, match="target column 'amount'"):
        bg.System("x", contract=sales.Sale, target=pl.col("amount") > 3)


@pytest.mark.parametrize(
    ("expression", "match"),
    [
        (pl.col("amount").mean(), "looks across rows"),
        (pl.col("amount").shift(1), "looks across rows"),
        (pl.col("amount").map_batches(lambda s: s), "looks across rows"),
        (pl.col("at"), "is a datetime"),
        (pl.col("shop") * 2, "does not type-check"),
        ("amount", "give a polars expression"),
    ],
)
def test_features_that_cannot_be_served(sales: Any, expression: Any, match: str) -> None:
    system = sales.system()
    system.feature("f", expression)
    with pytest.raises(DefinitionError, match=match):
        fit(system, sales.data(50))


def test_names_that_do_not_fit_together(sales: Any) -> None:
    system = sales.system()
    with pytest.raises(DefinitionError, match="defined twice"):
        system.feature("hour", pl.col("pieces"))
    with pytest.raises(DefinitionError, match="no such field"):
        system.use("nothing")
    with pytest.raises(DefinitionError, match="no span of time"):
        system.history("h", pl.len(), by="shop", window="soon")
    with pytest.raises(DefinitionError, match="cannot be a key"):
        system.history("h", pl.len(), by="amount", window="1h")
    with pytest.raises(DefinitionError, match="search of 'c' is empty"):
        system.model("logistic", search={"c": ()})
    with pytest.raises(DefinitionError, match=r"no such field"):
        bg.System("x", contract=sales.Sale, target=pl.col("y") > 0, protected=("colour",))


def test_sources_that_cannot_be_used(sales: Any) -> None:
    system = sales.system()

    def gone() -> bg.Data:
        raise FileNotFoundError("sales.csv")

    with pytest.raises(DataError, match=r"FileNotFoundError: sales\.csv"):
        system.with_source(gone).load()
    with pytest.raises(DataError, match="returned no rows"):
        system.with_source(lambda: bg.Data(sales.data(5).rows.head(0))).load()
    with pytest.raises(DataError, match="needs column 'returned'"):
        system.with_source(lambda: bg.Data(sales.data(5).rows.drop("returned"), sales.data(5).tables)).load()
    with pytest.raises(DataError, match="lookup table 'weather'"):
        system.with_source(lambda: bg.Data(sales.data(5).rows)).load()
    assert system.load().rows.height == 500


def test_splits_follow_time_and_never_overlap(sales: Any) -> None:
    system, rows = sales.system(), sales.data(300).rows
    part = system.partition(rows)
    moments = pl.DataFrame({"part": part, "at": rows["at"]})
    ends = {name: moments.filter(pl.col("part") == name)["at"] for name in ("train", "validate", "holdout")}
    assert ends["train"].max() < ends["validate"].min() <= ends["validate"].max() < ends["holdout"].min()
    early = system.with_split(
        bg.by_time(
            validate_from="2024-01-05",
            validate_until="2024-01-10",
            holdout_from="2024-01-22",
            holdout_until="2024-01-25",
        )
    )
    assert set(early.partition(rows)) == {"train", "validate", "holdout", "unused"}
    assert system.partition(rows).to_list() == part.to_list()
    with pytest.raises(DefinitionError, match="is after"):
        bg.by_time(validate_from="2024-02-01", holdout_from="2024-01-01")


def test_shares_are_stable_when_rows_are_added() -> None:
    split = bg.by_share(validate=0.2, holdout=0.3, seed=3)
    small, large = (split.assign(pl.DataFrame({"a": range(n)}), None) for n in (1_000, 20_000))
    assert large.head(1_000).to_list() == small.to_list()
    assert abs((large == "holdout").mean() - 0.3) < 0.02
    assert abs((large == "validate").mean() - 0.2) < 0.02


def test_histories_never_see_the_present_or_the_future(sales: Any) -> None:
    system = sales.system()
    data = sales.data(400)
    program = fit(system, data)
    clean = program.clean(data.rows).valid
    whole = program.features(clean, data.tables)
    border = clean["at"][200]
    past = clean.filter(pl.col("at") <= border)
    changed = past.with_columns(amount=pl.when(pl.col("at") == border).then(999.0).otherwise(pl.col("amount")))
    names = [item.name for item in program.histories]
    assert program.features(past, data.tables).select(names).equals(whole.head(past.height).select(names))
    assert program.features(changed, data.tables).select(names).equals(whole.head(past.height).select(names))


def test_a_history_by_hand() -> None:
    class Row(bg.Contract):
        k: str = bg.text(missing="flag")
        v: float = bg.number(missing="flag")
        t: dt.datetime = bg.time()

    system = bg.System("hand", contract=Row, target=pl.col("y") > 0, time="t")
    for kind in ("mean", "sum", "count", "min", "max"):
        system.history(kind, getattr(pl.col("v"), kind)(), by="k", window="1h")
    system.history("len", pl.len(), by="k", window="1h")
    at = [dt.datetime(2024, 1, 1, 0, m) for m in (0, 10, 10, 59)] + [
        dt.datetime(2024, 1, 1, 1, m) for m in (0, 1, 9, 10, 11)
    ]
    frame = pl.DataFrame({"k": ["a"] * 8 + [None], "v": [1.0, 2.0, 4.0, None, 8.0, 16.0, -1.0, 0.5, 3.0], "t": at})
    program = fit_program(system, frame, {})
    found = program.features(frame, {})
    # at 1:00 the window starts at 0:00 and still holds the first event; at 1:01 it does not
    assert found["sum"].to_list() == [0.0, 1.0, 1.0, 7.0, 7.0, 14.0, 30.0, 29.0, None]
    assert found["count"].to_list() == [0, 1, 1, 3, 3, 3, 4, 5, None]
    assert found["len"].to_list() == [0, 1, 1, 3, 4, 4, 5, 6, None]
    assert found["mean"].to_list() == [None, 1.0, 1.0, 7 / 3, 7 / 3, 14 / 3, 7.5, 5.8, None]
    assert found["min"].to_list() == [None, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0, -1.0, None]
    assert found["max"].to_list() == [None, 1.0, 1.0, 4.0, 4.0, 8.0, 16.0, 16.0, None]
