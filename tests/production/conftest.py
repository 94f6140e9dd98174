"""A small world for the serving tests: a real registry with five versions of a real model, served for real."""

from __future__ import annotations

import datetime as dt
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

import bluegold as bg
from bluegold.core.nouns import Lineage, TrafficSplit
from bluegold.core.workspace import Workspace
from bluegold.features.online import OnlineStore
from bluegold.features.program import FeatureProgram, fit_program
from bluegold.features.row import RowProgram
from bluegold.registry.bundle import CanaryRecord, DecisionFile, DecisionRule
from bluegold.registry.predictors.linear import CategoryTerm, LinearPredictor, NumberTerm
from bluegold.registry.registry import Registry
from bluegold.stores.key_value_lmdb import KeyValueLmdb

MODEL = "parcels"
NOON = dt.datetime(2024, 5, 1, 12)


class Parcel(bg.Contract):
    "One parcel when it is handed in."

    depot: str = bg.category("north", "south")
    kind: str = bg.category(unknown="flag")
    weight: float = bg.number(ge=0, le=50, unit="kg", outside="clip")
    handed_in: dt.datetime = bg.time()


def program() -> FeatureProgram:
    system = bg.System(MODEL, contract=Parcel, target=pl.col("late") > 0, time="handed_in")
    system.feature("hour", pl.col("handed_in").dt.hour())
    system.history("depot_weight_1h", pl.col("weight").mean(), by="depot", window="1h")
    train = pl.DataFrame(
        {
            "depot": ["north", "south"] * 20,
            "kind": ["box", "tube"] * 20,
            "weight": [float(n) for n in range(40)],
            "handed_in": [NOON + dt.timedelta(minutes=n) for n in range(40)],
        }
    )
    return fit_program(system, train, {})


def artefacts(fitted: FeatureProgram, bias: float) -> dict[str, bytes]:
    terms = [
        CategoryTerm(weights=(0.3, -0.3)) if kind == "category" else NumberTerm(mean=10.0, scale=5.0, weight=0.4)
        for kind in fitted.kinds
    ]
    predictor = LinearPredictor(intercept=bias, terms=terms)
    row, chance = RowProgram(fitted), random.Random(7)
    canaries = []
    for number in range(4):
        payload = parcel(number)
        vector = [chance.random() * 3 for _ in fitted.names]
        assert row.decode(json.dumps(payload).encode())
        record = CanaryRecord(id=f"c{number}", payload=payload, vector=tuple(vector), score=predictor.score_row(vector))
        canaries.append(record)
    return {
        "program.json": fitted.to_json(),
        "model.json": predictor.dump(),
        "decision.json": DecisionFile(family="logistic", rule=DecisionRule(positive_label="late")).dump(),
        "canaries.json": msgspec.json.encode(canaries),
    }


def parcel(number: int) -> dict[str, Any]:
    return {
        "depot": ("north", "south")[number % 2],
        "kind": ("box", "tube")[number % 2],
        "weight": float(number % 40),
        "handed_in": (NOON + dt.timedelta(seconds=number)).isoformat(),
    }


class World:
    """A workspace with versions v1 to v5, and shortcuts to what tests do with it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.registry = Registry.open(workspace, actor="automatic:test")
        self.model = MODEL

    def fill(self) -> None:
        fitted = program()
        for bias in (0.0, 0.5, -2.0, 1.0, 1.5):
            lineage = Lineage(
                code="c", data="d", features=fitted.digest, parameters={"bias": bias}, environment="e", seeds={"all": 7}
            )
            self.registry.versions.register(MODEL, artefacts(fitted, bias), lineage, {}, author="ada")
        store = KeyValueLmdb(self.workspace.online, durable=False)
        OnlineStore(store, fitted)
        store.close()

    @staticmethod
    def parcel(number: int) -> dict[str, Any]:
        return parcel(number)

    def promote(self, version: str) -> TrafficSplit:
        ref = f"{MODEL}:{version}"
        for stage in ("Staging", "Canary"):
            self.registry.lifecycle.transition(ref, stage, reason="test")
        return self.registry.promote(ref, reason="test")

    def split(self, **changes: Any) -> TrafficSplit:
        return self.registry.traffic.set(TrafficSplit(model=MODEL, revision=0, **{"blue": "v1", **changes}))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(Workspace.create(tmp_path_factory.mktemp("template") / "w"))
    world.fill()
    world.registry.close()
    return world.workspace.root


@pytest.fixture
def world(template: Path, tmp_path: Path) -> Iterator[World]:
    shutil.copytree(template, tmp_path / "w")
    made = World(Workspace.open(tmp_path / "w"))
    yield made
    made.registry.close()


@pytest.fixture(scope="session")
def world_type() -> type[World]:
    return World
