"""The sentinel: known answers at zero traffic, the account of availability, alerts that do not repeat themselves."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bluegold.production.operations.alerts import Alerts
from bluegold.production.operations.board import Board
from bluegold.production.operations.sentinel import Sentinel, account
from bluegold.production.operations.sentinel_config import SentinelConfig
from bluegold.production.operations.supervisor import Supervisor


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A receiver of alerts on loopback, and what it got."""
    got: list[dict[str, Any]] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", got
        server.shutdown()
        thread.join()


def test_a_wrong_known_answer_takes_the_traffic_back_without_any_traffic(
    world: Any, webhook: tuple[str, list[dict[str, Any]]]
) -> None:
    url, got = webhook
    run = world.workspace.run
    world.promote("v1")
    for stage in ("Staging", "Canary"):
        world.registry.lifecycle.transition("parcels:v2", stage, reason="test")
    with Supervisor(world.workspace, "parcels", 0, 1, "127.0.0.1", "--alone") as endpoint:
        board = Board(Path(endpoint.board))
        config = SentinelConfig(workspace=world.workspace.root, endpoint=endpoint, every=0.1)
        sentinel = Sentinel(config, lambda: world.registry, board, Alerts(run / "alerts.jsonl", url))
        split = world.split(gold="parcels:v2", mode="canary", gold_share=0.5)
        assert board.wait_applied(split.revision)
        for _ in range(2):
            sentinel.round()
        assert got == []
        assert world.registry.traffic.current("parcels").gold == "parcels:v2"

        known = sentinel._known["parcels:v2"]
        sentinel._known["parcels:v2"] = tuple(msgspec.structs.replace(one, score=one.score + 1e-9) for one in known)
        sentinel.round()
        safe = world.registry.traffic.current("parcels")
        assert (safe.blue, safe.gold, safe.mode) == ("parcels:v1", "", "off")
        assert board.applied(safe.revision)
        assert [(one["severity"], one["about"], one["state"]) for one in got] == [
            ("critical", "known answers of gold", "raised")
        ]
        assert "parcels:v2 gives a wrong known answer" in got[0]["text"]
        health = json.loads((run / "health.json").read_bytes())
        assert health["health"]["status"] == "ok"
        assert time.time() - health["at"] < 5
    sentinel.round()  # nobody answers any more
    assert {one["about"] for one in got if one["severity"] == "critical"} >= {"answers of blue"}
    kept = account(world.workspace)
    assert kept is not None
    assert (kept.rounds, kept.failed) == (4, 1)
    assert 0 < kept.answered < kept.watched


def test_an_alert_is_said_once_while_it_lasts_and_again_when_it_is_over(
    tmp_path: Path, webhook: tuple[str, list[dict[str, Any]]]
) -> None:
    url, got = webhook
    alerts = Alerts(tmp_path / "alerts.jsonl", url, repeat=100.0)
    for moment in (0.0, 1.0, 2.0):
        alerts.found("disk", "warning", "nearly full", at=moment)
    alerts.found("disk", "critical", "full", at=3.0)
    alerts.found("disk", "critical", "full", at=200.0)
    alerts.over("disk", at=201.0)
    alerts.over("disk", at=202.0)
    said = [(one["state"], one["severity"], one["times"]) for one in got]
    assert said == [
        ("raised", "warning", 1),
        ("lasting", "critical", 4),
        ("lasting", "critical", 5),
        ("over", "info", 5),
    ]
    assert [one.state for one in alerts.read()] == [one["state"] for one in got]


def test_a_webhook_that_is_gone_costs_nothing_but_its_alert(tmp_path: Path) -> None:
    for address in ("http://127.0.0.1:9/", "file:///etc/passwd"):
        alerts = Alerts(tmp_path / "alerts.jsonl", address)
        alerts.found("disk", "critical", "full")
    assert len(alerts.read()) == 2


def test_the_supervisor_keeps_a_sentinel(world: Any) -> None:
    world.promote("v1")
    options = ("--alone", "--sentinel", "0.2")
    with Supervisor(world.workspace, "parcels", 0, 1, "127.0.0.1", *options):
        deadline = time.monotonic() + 60
        while (found := account(world.workspace)) is None or found.rounds < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert found.failed == 0
