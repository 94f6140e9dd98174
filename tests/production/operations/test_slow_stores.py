"""Stores that are dead or slow, end to end: what is known goes on, nothing is acknowledged falsely, health says so."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bluegold.core.workspace import Workspace
from bluegold.production.loading import Loader
from bluegold.production.operations.board import Board, Cell
from bluegold.production.operations.supervisor import Supervisor
from bluegold.production.results.decision_log import DecisionReader
from bluegold.stores.key_value_lmdb import KeyValueLmdb

MODEL = "parcels"
SLOW_DISK = """
import os, time
_fdatasync = os.fdatasync
def fdatasync(file):
    while os.path.exists({flag!r}):
        time.sleep(0.02)
    _fdatasync(file)
os.fdatasync = fdatasync
"""


def until(url: str, holds: Callable[[Any], bool]) -> Any:
    """The health view once it is as wanted."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            health = httpx.get(f"{url}/v1/health", timeout=60).json()
        except httpx.TransportError:  # a worker was killed
            continue
        if holds(health):
            return health
        time.sleep(0.05)
    raise AssertionError(health)


@pytest.mark.slow
def test_a_registry_that_hangs_and_a_disk_that_hangs(
    postgresql_server: Any, world_type: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLUEGOLD_RELATIONAL_URL", postgresql_server.url)
    (code := tmp_path / "code").mkdir()
    (code / "sitecustomize.py").write_text(SLOW_DISK.format(flag=str(slow := tmp_path / "slow")))
    monkeypatch.setenv("PYTHONPATH", str(code))
    world = world_type(Workspace.create(tmp_path / "w"))
    world.fill()
    world.promote("v1")
    given = []
    with Supervisor(world.workspace, MODEL, 0, 1, "127.0.0.1", "--alone") as endpoint:
        slot = Board(Path(endpoint.board)).slot(0)

        def ask(number: int) -> httpx.Response:
            return httpx.post(f"{endpoint.url}/v1/predict", json=world.parcel(number), timeout=60)

        def look(_: int) -> httpx.Response:
            return httpx.get(f"{endpoint.url}/v1/rollout", timeout=60)

        until(endpoint.url, lambda health: health["status"] == "ok")
        assert look(0).json()["unread"] == ""

        postgresql_server.send(signal.SIGSTOP)
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            views = pool.map(look, range(40))  # more than there are threads to wait in
            given += pool.map(ask, range(40))
            seen = list(views)
        assert {one.status_code for one in given} == {200}
        assert {one.status_code for one in seen} == {200}
        assert "no answer within" in look(0).json()["unread"]
        health = until(endpoint.url, lambda health: bool(health["problem"]))
        assert (health["status"], health["blue"]) == ("degraded", "parcels:v1")
        assert "the registry does not answer, the last configuration goes on" in health["problem"]

        killed = slot[Cell.PID]
        os.kill(killed, signal.SIGKILL)  # its successor starts while the registry still hangs
        health = until(endpoint.url, lambda health: slot[Cell.PID] != killed and health["workers"][0]["revision"] == 1)
        assert (health["status"], health["blue"]) == ("degraded", "parcels:v1")
        given += [ask(number) for number in range(5)]
        postgresql_server.send(signal.SIGCONT)
        until(endpoint.url, lambda health: health["status"] == "ok")

        slow.touch()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(ask, number) for number in range(4)]
            health = until(endpoint.url, lambda health: health["status"] == "down")
            assert "cannot record decisions" in health["problem"]
            assert not any(one.done() for one in waiting), "nothing is acknowledged that is not on the disk"
            slow.unlink()
            given += [one.result() for one in waiting]
        until(endpoint.url, lambda health: health["status"] == "ok")
    world.registry.close()
    assert {one.status_code for one in given} == {200}
    reader = DecisionReader(world.workspace.decisions)
    kept, _ = reader.tail({})
    assert reader.verify().ok
    assert {record.id for record in kept} >= {one.json()["id"] for one in given}


class Hanging(KeyValueLmdb):
    """An online store whose reads fail, or hang while the gate is shut."""

    fails = False
    gate: threading.Event | None = None

    def snapshot(self) -> Any:
        if self.gate is not None:
            reading.append(threading.current_thread())
            assert self.gate.wait(120)
        if self.fails:
            raise OSError(5, "no answer")
        return super().snapshot()


reading: list[threading.Thread] = []


def test_no_request_waits_for_the_attempt_that_finds_out_whether_a_store_is_back(world: Any) -> None:
    online = Hanging(world.workspace.online, durable=False)
    loader = Loader(world.registry, online)
    lane = loader.lanes(world.promote("v1")).blue
    [row] = lane.program.decode(httpx.Request("POST", "http://a", json=world.parcel(60)).content)
    fresh = lane.prepare(row)
    online.fails = True
    while loader.breaker.state == "closed":
        assert lane.prepare(row).flags == ("depot_weight_1h:stale",)
    online.fails, online.gate = False, threading.Event()
    deadline = time.monotonic() + 90
    while not reading:  # it hangs now: were it this thread, nobody would open the gate
        assert lane.prepare(row).flags == ("depot_weight_1h:stale",)
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for _ in range(100):
        assert lane.prepare(row) == (fresh.values, ("depot_weight_1h:stale",), fresh.vector)
    assert threading.current_thread() not in reading
    assert len(reading) == 1
    online.gate.set()
    while lane.prepare(row).flags:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert loader.breaker.state == "closed"
    online.close()
