"""The drift watch: a process beside the workers that alerts when features or errors have changed."""

from __future__ import annotations

import datetime as dt
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from bluegold.core.nouns import Lineage
from bluegold.features.profile import profile
from bluegold.features.program import FeatureProgram
from bluegold.production.operations.alerts import Alert, Alerts
from bluegold.production.operations.board import Board, Head
from bluegold.production.operations.supervisor import Supervisor

MODEL = "parcels"


def wait(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 90
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def parcel(world: Any, number: int) -> dict[str, Any]:
    """One parcel, handed in at any time of the day."""
    moment = dt.datetime(2024, 5, 1) + dt.timedelta(seconds=number * 7_919 % 86_400)
    return {**world.parcel(number), "handed_in": moment.isoformat()}


def with_profile(world: Any) -> str:
    """The first version, registered once more with the profile of the rows it will usually see."""
    files = world.registry.versions.artefacts("parcels:v1")
    program = FeatureProgram.from_json(files["program.json"])
    rows = [parcel(world, number) for number in range(4_000)]
    frame = pl.DataFrame(rows).with_columns(pl.col("handed_in").str.to_datetime())
    files["profile.json"] = profile(program.matrix(program.features(frame, {})), program).to_json()
    lineage = Lineage(code="c", data="d", features=program.digest, parameters={}, environment="e", seeds={"all": 7})
    return str(world.registry.versions.register(MODEL, files, lineage, {}, author="ada").version)


def test_a_change_of_the_world_or_of_the_errors_is_alerted_and_ends(world: Any) -> None:
    version = with_profile(world)
    world.promote(version)
    space = world.workspace
    alerts = Alerts(space.run / "alerts.jsonl")
    options = ("--alone", "--drift", "0.1")
    with Supervisor(space, MODEL, 0, 1, "127.0.0.1", *options) as endpoint:
        board, log = Board(Path(endpoint.board)), space.run / "drift.log"

        def watching() -> int:
            return log.read_text().count("watching for drift") if log.exists() else 0

        def said(about: str, state: str) -> list[Alert]:
            wanted = f"drift of {about} in parcels:{version}"
            return [one for one in alerts.read() if (one.about, one.state) == (wanted, state)]

        def send(**changes: Any) -> list[dict[str, Any]]:
            """Two thousand decisions, as many as one look at the features takes."""
            rows = [parcel(world, number) | changes for number in range(1_000)]
            found = [http.post("/v1/predict", json={"rows": rows}).json()["rows"] for _ in range(2)]
            return [answer for answers in found for answer in answers]

        wait(watching)
        os.kill(board[Head.DRIFT], signal.SIGKILL)  # it is a process like others: it comes back
        wait(lambda: watching() == 2)
        with httpx.Client(base_url=endpoint.url, timeout=60) as http:
            send(handed_in="2024-05-01T03:00:00")
            [alert] = wait(lambda: said("hour", "raised"))
            assert alert.severity == "warning"
            assert "stability index" in alert.text
            usual = send()
            wait(lambda: said("hour", "over"))
            assert not said("error rate", "raised")
            for start in (0, 1_000):  # first every decision was right, then every one was wrong
                told = [
                    {"id": one["id"], "value": one["value"] is (start == 0)} for one in usual[start : start + 1_000]
                ]
                assert http.post("/v1/outcomes", json={"outcomes": told}).json() == {"recorded": 1_000}
            assert "its error rate went from" in wait(lambda: said("error rate", "raised"))[0].text
