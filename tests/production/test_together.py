"""Requests that wait together: one call of polars and of the model, the same answers, nobody pays for another."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

import bluegold as bg
from bluegold.core.nouns import Lineage, TrafficSplit
from bluegold.development.families import Training, family
from bluegold.features import fallback
from bluegold.features.program import FeatureProgram, fit_program
from bluegold.production import flow
from bluegold.production.app import App, Request
from bluegold.production.flow import decide, decide_together, decode, settle
from bluegold.production.hosting import hosted
from bluegold.production.messages import Call
from bluegold.production.results.records import DecisionRecord
from bluegold.registry.bundle import DecisionFile, DecisionRule
from bluegold.registry.predictors.xgboost_native import XgboostPredictor

MODEL = "crates"
NOON = dt.datetime(2024, 5, 1, 12)


class Crate(bg.Contract):
    "One crate at the gate."

    label: str = bg.text()
    weight: float = bg.number(ge=0, le=50, outside="clip")
    seen_at: dt.datetime = bg.time()
    rules = (bg.rule("labels have no x", ~pl.col("label").str.contains_any(["x"])),)


def program(more: str) -> FeatureProgram:
    """Features that only polars can compute, one of which may refuse a row, and a history."""
    system = bg.System(MODEL, contract=Crate, target=pl.col("late") > 0, time="seen_at")
    system.feature("root", pl.col("weight").cbrt())
    system.feature("number", pl.col("label").str.to_integer(strict=True))
    system.feature(more, pl.col("weight").sinh())
    system.history("before", pl.col("weight").sum(), by="label", window="1h")
    train = pl.DataFrame({"label": ["1", "2"], "weight": [1.0, 2.0], "seen_at": [NOON, NOON]})
    return fit_program(system, train, {})


def trained(width: int, seed: int) -> bytes:
    rows = np.random.default_rng(seed).normal(size=(400, width)) * 20.0
    kind = family("xgboost")
    return kind.fit(
        Training(rows, rows[:, 0] > 0, ("number",) * width), kind.settle({"n_estimators": 5}), seed
    ).predictor.dump()


@pytest.fixture
def app(world: Any) -> Iterator[App]:
    for number, more in enumerate(("sinh", "sinh_of_gold"), start=1):
        made = program(more)
        files = {
            "program.json": made.to_json(),
            "model.json": trained(len(made.names), number),
            "decision.json": DecisionFile(family="xgboost", rule=DecisionRule(positive_label="late")).dump(),
            "canaries.json": b"[]",
        }
        lineage = Lineage(code="c", data="d", features=made.digest, parameters={}, environment="e", seeds={})
        world.registry.versions.register(MODEL, files, lineage, {}, author="ada")
    world.registry.traffic.set(TrafficSplit(model=MODEL, revision=0, blue="v1", gold="v2", mode="shadow"))
    with hosted(world.workspace.root, MODEL) as opened:
        yield opened


def crate(number: int, label: str = "") -> dict[str, Any]:
    moment = (NOON + dt.timedelta(seconds=number)).isoformat()
    return {"label": label or str(number), "weight": number * 1.7, "seen_at": moment}


def call(body: Any) -> Call:
    return Call(json.dumps(body).encode(), time.perf_counter_ns(), "me", "", "")


def told(records: list[DecisionRecord]) -> list[Any]:
    return [
        (
            one.value,
            one.score,
            one.vector,
            one.flags,
            one.error,
            one.version,
            one.other and (one.other.value, one.other.score),
        )
        for one in records
    ]


BODIES = [crate(n) for n in range(30)] + [{"rows": [crate(n) for n in range(40, 45)]}]


def test_answers_are_those_of_one_row_at_a_time(app: App) -> None:
    desk = app._desk
    calls = [call(body) for body in BODIES]
    together = decide_together(desk, calls)
    for one, decided in zip(calls, together, strict=True):
        rows, many = decode(desk.lanes, one.body)
        alone = settle(desk.lanes, desk.lanes, one, rows, many=many)
        assert not isinstance(decided, Exception)
        assert told(decided.records) == told(alone.records) == told(decide(desk, one).records)
        assert decided.values == alone.values
        assert all(record.other is not None for record in alone.records), "Gold was not asked"


def test_what_waits_shares_the_calls(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    polars, scored = [], []
    evaluate, scores = fallback.evaluate, XgboostPredictor.scores
    monkeypatch.setattr(
        fallback, "evaluate", lambda frame, asked: polars.append(frame.height) or evaluate(frame, asked)
    )
    monkeypatch.setattr(XgboostPredictor, "scores", lambda self, rows: scored.append(len(rows)) or scores(self, rows))
    monkeypatch.setattr(XgboostPredictor, "score_row", None)
    answers = answered(app, [json.dumps(crate(n)).encode() for n in range(50)])
    assert [status for status, _ in answers] == [200] * 50
    assert scored == [50, 50], "Blue and Gold, once each"
    assert polars == [50] * 4, "the rule and all features, of Blue and of Gold, once each"


def test_a_bad_request_costs_no_other_its_answer(app: App) -> None:
    bodies = [json.dumps(body).encode() for body in (crate(1), crate(2, "two"), crate(3), crate(4, "x"), crate(5))]
    bodies += [b"{", json.dumps({"rows": [crate(6), crate(7, "seven")]}).encode(), json.dumps(crate(8)).encode()]
    answers = answered(app, bodies)
    assert [status for status, _ in answers] == [200, 422, 200, 422, 200, 400, 422, 200]
    assert "'number' cannot be computed" in answers[1][1]["title"] + answers[1][1].get("detail", "")
    alone = [answered(app, [body])[0] for body in bodies]
    assert [status for status, _ in alone] == [status for status, _ in answers]
    assert [said.get("score") for _, said in alone] == [said.get("score") for _, said in answers]


def test_a_turn_is_recorded_in_one_go_and_a_record_that_cannot_be_costs_no_other(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, sizes = app._desk.log, []
    submit = log.submit

    def counted(records: Any, done: Any) -> None:
        sizes.append(len(records))
        submit(records, done)

    monkeypatch.setattr(log, "submit", counted)
    bodies = [json.dumps(crate(n)).encode() for n in range(6)]
    assert [status for status, _ in answered(app, bodies)] == [200] * 6
    assert sizes == [6]
    describe = flow.describe

    def spoiled(lanes: Any, one: Call, *given: Any, **more: Any) -> DecisionRecord:
        made = describe(lanes, one, *given, **more)
        made.flags = (object(),) if one.body == bodies[2] else made.flags  # type: ignore[assignment]
        return made

    monkeypatch.setattr(flow, "describe", spoiled)
    assert [status for status, _ in answered(app, bodies)] == [200, 200, 500, 200, 200, 200]
    monkeypatch.undo()
    assert app._desk.reader.verify().ok


def answered(app: App, bodies: list[bytes]) -> list[tuple[int, dict[str, Any]]]:
    """What comes back when all of them arrive in one turn of the event loop."""

    async def ask() -> list[tuple[int, dict[str, Any]]]:
        loop = asyncio.get_running_loop()
        waiting = []
        for body in bodies:
            reply: asyncio.Future[Any] = loop.create_future()
            headers = {"content-type": "application/json"}
            request = Request("POST", "/v1/predict", headers, "127.0.0.1", time.perf_counter_ns())
            app.accept(request, body, reply.set_result)
            waiting.append(reply)
        replies = await asyncio.wait_for(asyncio.gather(*waiting), 60)
        return [(reply.status, msgspec.json.decode(reply.body)) for reply in replies]

    return asyncio.run(ask())
