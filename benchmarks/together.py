"""Requests that wait together: how much a shared call of polars or of a model saves, against one call a request."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import bluegold as bg
from bluegold.core.nouns import Lineage, TrafficSplit
from bluegold.core.workspace import Workspace
from bluegold.development.families import Training, family
from bluegold.features.program import FeatureProgram, fit_program
from bluegold.production.flow import decide_together, decode, settle
from bluegold.production.hosting import hosted
from bluegold.production.messages import Call
from bluegold.registry import Registry
from bluegold.registry.bundle import DecisionFile, DecisionRule

NOON = dt.datetime.fromisoformat("2024-05-01T12:00")
WAITING = (1, 4, 16, 64)


class Reading(bg.Contract):
    "One reading with three numbers."

    a: float = bg.number()
    b: float = bg.number()
    c: float = bg.number()
    seen_at: dt.datetime = bg.time()


def program(*, compiled: bool) -> FeatureProgram:
    system = bg.System("readings", contract=Reading, target=pl.col("late") > 0, time="seen_at")
    for name in "abc":
        column = pl.col(name)
        system.feature(f"{name}_one", column * 2 if compiled else column.cbrt())
        system.feature(f"{name}_two", column + 1 if compiled else column.sinh())
    train = pl.DataFrame({"a": [0.1, 0.2], "b": [0.1, 0.2], "c": [0.1, 0.2], "seen_at": [NOON, NOON]})
    return fit_program(system, train, {})


def register(registry: Registry, name: str, model: str, made: FeatureProgram) -> None:
    rows = np.random.default_rng(7).normal(size=(4000, len(made.names)))
    kind = family(model)
    trained = kind.fit(Training(rows, rows[:, 0] + rows[:, 1] > 0, ("number",) * rows.shape[1]), kind.settle({}), 7)
    files = {
        "program.json": made.to_json(),
        {"onnx": "model.onnx", "lightgbm": "model.txt"}.get(
            trained.predictor.family, "model.json"
        ): trained.predictor.dump(),
        "decision.json": DecisionFile(family=trained.predictor.family, rule=DecisionRule()).dump(),
        "canaries.json": b"[]",
    }
    lineage = Lineage(code="c", data="d", features=made.digest, parameters={}, environment="e", seeds={})
    registry.versions.register(name, files, lineage, {}, author="bench")
    registry.traffic.set(TrafficSplit(model=name, revision=0, blue="v1"))


def measured(desk: Any, repeats: int) -> list[list[Any]]:
    """Microseconds a request, one by one and together, medians of alternating repeats."""
    random, rows = np.random.default_rng(3), []
    for count in WAITING:
        calls = [
            Call(
                json.dumps(
                    {**dict(zip("abc", random.normal(size=3), strict=True)), "seen_at": NOON.isoformat()}
                ).encode(),
                time.perf_counter_ns(),
                "me",
                "",
                "",
            )
            for _ in range(count)
        ]
        alone, together = [], []
        for _ in range(repeats):
            began = time.perf_counter()
            for call in calls:
                found, many = decode(desk.lanes, call.body)
                settle(desk.lanes, desk.lanes, call, found, many=many)
            between = time.perf_counter()
            decide_together(desk, calls)
            alone.append(between - began)
            together.append(time.perf_counter() - between)
        one, many = (statistics.median(times) / count * 1e6 for times in (alone, together))
        rows.append([count, round(one, 1), round(many, 1), round(one / many, 2)])
    return rows


def main() -> int:
    """Measure, print, and write the results beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repeats: does it run at all?")
    repeats = 3 if parser.parse_args().quick else 25
    table: list[list[Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.create(Path(folder) / "w")
        cases = (
            ("6 features need polars, LightGBM", "fallback", "lightgbm", False),
            ("compiled, LightGBM", "plain", "lightgbm", True),
            ("compiled, XGBoost, 160 trees", "xgboost", "xgboost", True),
            ("compiled, random forest in ONNX, 60 trees", "forest", "random_forest", True),
            ("compiled, neural network in ONNX", "network", "neural_network", True),
        )
        with Registry.open(workspace, actor="automatic:bench") as registry:
            for _, name, model, compiled in cases:
                register(registry, name, model, program(compiled=compiled))
        for title, name, _, _ in cases:
            with hosted(workspace.root, name) as app:
                table += [[title, *row] for row in measured(app._desk, repeats)]
    result = {
        "title": "Requests that wait together",
        "what": "Microseconds a request from its bytes to its decision record (decode, contract, features, model; no "
        "socket, no disk), decided one by one and decided together, for requests that arrived in one turn of the event "
        "loop. Alternating in one process, medians.",
        "command": "python benchmarks/together.py",
        "machine": f"{os.cpu_count()} cores, Python {sys.version_info.major}.{sys.version_info.minor}",
        "columns": ["system", "waiting", "one by one, us", "together, us", "times faster"],
        "rows": table,
        "notes": [
            "Answers are bit-identical; tests/production/test_together.py compares them.",
            "Nobody is kept waiting for company: a request that is alone is decided in the same turn.",
            "LightGBM shares no call: cold code is what is saved, and a loop that does nothing else keeps it warm.",
        ],
    }
    for row in table:
        print(*row, sep="  ")
    path = Path(__file__).parent / "results" / "together.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
