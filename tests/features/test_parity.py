"""Bit-identity of the batch and the online way, on random systems' data and through faults."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bluegold as bg
from bluegold.features.batch import feature_frame
from bluegold.features.parity import parity
from bluegold.features.program import FeatureProgram, fit_program
from bluegold.features.row import RowProgram


def test_a_system_with_everything_is_identical_to_the_bit(fitted: Any) -> None:
    program, clean, tables = fitted
    report = parity(program, clean, tables)
    assert report.examples == ()
    assert (report.rows, report.columns, report.mismatches) == (clean.height, len(program.names), 0)
    assert report.fallbacks == ()


def test_a_difference_in_one_bit_is_found(fitted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    program, clean, tables = fitted

    def nudged(spec: Any, frame: pl.DataFrame, given: Any) -> pl.DataFrame:
        third = np.nextafter(feature_frame(spec, frame, given)["third"].to_numpy(), np.inf)
        return feature_frame(spec, frame, given).with_columns(third=pl.Series(third).fill_nan(None))

    monkeypatch.setattr("bluegold.features.batch.feature_frame", nudged)
    report = parity(program, clean, tables)
    assert report.mismatches == clean["amount"].count()
    assert {item.column for item in report.examples} == {"third"}


@pytest.mark.parametrize("sample", [1, 15, 100, 599])
def test_a_sample_is_as_large_as_asked_and_still_identical(fitted: Any, sample: int) -> None:
    program, clean, tables = fitted
    report = parity(program, clean, tables, sample=sample)
    assert 0.8 * sample <= report.rows <= sample
    assert report.mismatches == 0


def test_expressions_without_translation_go_through_polars_and_are_listed(sales: Any) -> None:
    system, data = sales.system(), sales.data(120)
    system.feature("rounded", (pl.col("amount") / 7).round(1))
    system.feature("usual_squared", pl.col("usual") ** 2)
    program = fit_program(system, system_clean(system, data), data.tables)
    report = parity(program, system_clean(system, data), data.tables)
    assert report.mismatches == 0
    assert [item.split()[0] for item in report.fallbacks] == ["rounded", "usual_squared"]


def system_clean(system: bg.System, data: bg.Data) -> pl.DataFrame:
    from bluegold.features.contract import clean_frame

    return clean_frame(system.contract, data.rows).valid


AGGREGATES = {"mean": pl.Expr.mean, "sum": pl.Expr.sum, "count": pl.Expr.count, "min": pl.Expr.min, "max": pl.Expr.max}
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]) | st.none(),
        st.none() | st.floats(-1e6, 1e6) | st.sampled_from([0.1, 1e15, -1e15, 5e-324, -0.0]),
        st.integers(-200, 200),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    events=EVENTS,
    kind=st.sampled_from(sorted(AGGREGATES)),
    minutes=st.integers(1, 120),
    factor=st.sampled_from([1.0, 0.1, -3.0]),
)
def test_random_histories(events: Any, kind: str, minutes: int, factor: float) -> None:
    class Row(bg.Contract):
        k: str = bg.text(missing="flag")
        v: float = bg.number(missing="flag")
        t: dt.datetime = bg.time()

    system = bg.System("random", contract=Row, target=pl.col("y") > 0, time="t")
    system.history("h", AGGREGATES[kind](pl.col("v") * factor), by="k", window=f"{minutes}m")
    system.feature("double", pl.col("h") * 2 / 3)
    start = dt.datetime(1970, 1, 1)  # moments on both sides of zero
    rows = [{"k": k, "v": v, "t": start + dt.timedelta(minutes=m)} for k, v, m in events]
    frame = pl.DataFrame(rows, schema={"k": pl.String, "v": pl.Float64, "t": pl.Datetime("us")})
    program = fit_program(system, frame, {})
    assert parity(program, frame, {}).examples == ()


def test_json_round_trip_keeps_everything(fitted: Any) -> None:
    program, clean, tables = fitted
    again = FeatureProgram.from_json(program.to_json())
    assert again.digest == program.digest
    assert again.to_json() == program.to_json()
    first, second = (p.matrix(p.features(clean, tables)) for p in (program, again))
    assert first.tobytes() == second.tobytes()
    assert again.names[-2:] == ("area", "city")


def test_matrix_marks_unknown_and_missing(fitted: Any) -> None:
    program, clean, tables = fitted
    strange = clean.head(2).with_columns(kind=pl.Series(["never seen", None]), amount=pl.Series([None, 2.0]))
    matrix = program.matrix(program.features(strange, tables))
    at = program.names.index
    assert matrix[:, at("kind")].tolist() == [-1.0, -1.0]
    assert np.isnan(matrix[0, at("amount")])
    assert np.isnan(matrix[0, at("price")])


def test_rows_alone_equal_rows_together(fitted: Any) -> None:
    program, clean, tables = fitted
    own = [name for name in program.names if name not in {h.name for h in program.histories} | {"above_usual"}]
    together = program.features(clean.head(40), tables).select(own)
    alone = pl.concat([program.features(clean[i], tables).select(own) for i in range(40)])
    assert alone.equals(together)


def test_the_example_works_and_the_schema_describes_it(fitted: Any) -> None:
    program, _, _ = fitted
    row = RowProgram(program)
    [decoded] = row.decode(msgspec.json.encode(row.example()))
    assert row.clean(decoded)[1] in {(), ("kind:unknown",)}
    schema = row.json_schema()
    assert set(schema["properties"]) == set(program.contract.names)
    assert schema["properties"]["shop"]["enum"] == ["north", "south"]
    assert "client" not in schema["required"]
