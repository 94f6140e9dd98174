"""Supervision with real processes: killed and hung workers, taken ports, clean ends."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bluegold.core.errors import ServingError
from bluegold.core.workspace import Workspace
from bluegold.production.operations.board import Board, Cell, Head, State
from bluegold.production.operations.patience import condition
from bluegold.production.operations.processes import Endpoint
from bluegold.production.operations.pulse import LEASE_S
from bluegold.production.operations.supervisor import Supervisor, running
from bluegold.production.operations.watched import alive
from bluegold.production.results.decision_log import DecisionReader


@pytest.fixture(scope="module")
def shared(template: Path, world_type: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Endpoint]]:
    """One server for all tests that leave it as they found it."""
    root = tmp_path_factory.mktemp("supervision") / "w"
    shutil.copytree(template, root)
    world = world_type(Workspace.open(root))
    world.promote("v1")
    with Supervisor(world.workspace, "parcels", workers=2) as endpoint:
        yield world, endpoint
    world.registry.close()


@pytest.fixture
def served(shared: tuple[Any, Endpoint]) -> tuple[Any, Endpoint]:
    board = Board(Path(shared[1].board))
    until(lambda: all(slot[Cell.STATE] == State.READY and not slot[Cell.SUSPECTED] for slot in board.slots()))
    return shared


def until(condition: Any, timeout: float = 60.0) -> float:
    """Seconds until the condition holds."""
    began = time.perf_counter()
    while not condition():
        assert time.perf_counter() - began < timeout, "it did not happen in time"
        time.sleep(0.001)
    return time.perf_counter() - began


def test_a_killed_worker_is_replaced_and_nothing_acknowledged_is_lost(served: tuple[Any, Endpoint]) -> None:
    world, endpoint = served
    board = Board(Path(endpoint.board))
    acknowledged: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=endpoint.url, timeout=60) as http:
            number = 0
            while not stop.is_set():
                try:
                    response = http.post("/v1/predict", json=world.parcel(number))
                except httpx.HTTPError:
                    continue  # the connection died with the worker; what was answered before is what counts
                if response.status_code == 200:
                    acknowledged.append(response.json()["id"])
                number += 1

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for worker in (0, 1, 0):
        slot = board.slot(worker)
        until(lambda slot=slot: slot[Cell.STATE] == State.READY)
        time.sleep(0.2)
        before, pid = slot[Cell.RESTARTS], slot[Cell.PID]
        os.kill(pid, signal.SIGKILL)
        seen = until(lambda slot=slot, before=before: slot[Cell.RESTARTS] > before)
        back = until(lambda slot=slot: slot[Cell.STATE] == State.READY)
        print(f"worker {worker}: death seen after {seen * 1e3:.1f} ms, serving again after {back * 1e3:.0f} ms")
        assert slot[Cell.PID] != pid
    stop.set()
    for thread in threads:
        thread.join()
    reader = DecisionReader(world.workspace.decisions)
    assert len(acknowledged) > 20
    assert [name for name in acknowledged if reader.get(name) is None] == []
    assert reader.verify().ok


def test_a_hung_worker_is_suspected_then_replaced(served: tuple[Any, Endpoint]) -> None:
    slot = Board(Path(served[1].board)).slot(1)
    pid, before = slot[Cell.PID], slot[Cell.RESTARTS]
    os.kill(pid, signal.SIGSTOP)
    seen = until(lambda: slot[Cell.SUSPECTED])
    print(f"hang suspected after {seen * 1e3:.0f} ms")
    until(lambda: slot[Cell.RESTARTS] > before and slot[Cell.STATE] == State.READY)
    assert slot[Cell.PID] != pid
    assert httpx.get(f"{served[1].url}/v1/health", timeout=60).json()["status"] == "ok"


def test_a_short_pause_kills_nobody(served: tuple[Any, Endpoint]) -> None:
    slot = Board(Path(served[1].board)).slot(0)
    for _ in range(20):  # on a busy machine the pause may come out longer than it was meant
        until(lambda: slot[Cell.STATE] == State.READY)
        pid, before, began = slot[Cell.PID], slot[Cell.RESTARTS], time.perf_counter()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.03)
        os.kill(pid, signal.SIGCONT)
        if time.perf_counter() - began < 0.05:
            break
    time.sleep(0.2)
    assert (slot[Cell.PID], slot[Cell.RESTARTS]) == (pid, before)


def test_what_the_kernel_says_decides_how_long_silence_is_excused() -> None:
    code = "import sys, time\nprint(flush=True)\nwhile len(sys.argv) > 1: pass\ntime.sleep(60)"
    found = {}
    for name, more in (("asleep", []), ("busy", ["loop"])):
        with subprocess.Popen([sys.executable, "-c", code, *more], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            until(lambda process=process, name=name: condition(process.pid) == name)
            os.kill(process.pid, signal.SIGSTOP)
            until(lambda process=process: condition(process.pid) == "stopped")
            process.kill()
        found[name] = condition(process.pid)
    assert set(found.values()) == {"gone"}


def test_a_standby_takes_the_seat_and_a_reload_fails_no_request(served: tuple[Any, Endpoint]) -> None:
    world, endpoint = served
    board = Board(Path(endpoint.board))
    until(lambda: board.standby()[Cell.STATE] == State.STANDBY)
    waiting, slot = board.standby()[Cell.PID], board.slot(0)
    os.kill(slot[Cell.PID], signal.SIGKILL)
    back = until(lambda: slot[Cell.PID] == waiting and slot[Cell.STATE] == State.READY)
    print(f"the standby serves after {back * 1e3:.0f} ms")
    assert slot[Cell.REVISION] == world.registry.traffic.current("parcels").revision

    before, stop, failed, answered = [view.pid for view in board.views()], threading.Event(), [], [0]

    def ask() -> None:
        with httpx.Client(base_url=endpoint.url, timeout=60) as http:
            while not stop.is_set():
                try:
                    answered[0] += http.post("/v1/predict", json=world.parcel(answered[0])).status_code == 200
                except httpx.HTTPError as error:
                    failed.append(repr(error))

    thread = threading.Thread(target=ask)
    thread.start()
    os.kill(endpoint.pid, signal.SIGHUP)
    until(lambda: board[Head.RELOADS_DONE] == 1)
    stop.set()
    thread.join()
    assert failed == []
    assert answered[0] > 20
    assert set(before).isdisjoint({view.pid for view in board.views()})
    assert board.applied(slot[Cell.REVISION])


def test_a_connection_waits_for_the_replacement_instead_of_being_refused(world: Any) -> None:
    world.promote("v1")
    with Supervisor(world.workspace, "parcels", workers=1) as endpoint:
        slot = Board(Path(endpoint.board)).slot(0)
        os.kill(slot[Cell.PID], signal.SIGKILL)
        assert httpx.post(f"{endpoint.url}/v1/predict", json=world.parcel(1), timeout=60).status_code == 200


def test_a_taken_port_is_one_clear_sentence(world: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServingError, match=rf"port {port} on 127\.0\.0\.1 cannot be used.*--port"):
            Supervisor(world.workspace, "parcels", port=port).start()
    assert running(world.workspace) is None


def test_a_port_taken_by_another_server_is_seen_too(served: tuple[Any, Endpoint], tmp_path: Path) -> None:
    """Two servers with SO_REUSEPORT could share a port without noticing."""
    world, endpoint = served
    other = tmp_path / "other"
    shutil.copytree(world.workspace.root, other)
    with pytest.raises(ServingError, match="cannot be used"):
        Supervisor(Workspace.open(other), "parcels", port=endpoint.port).start()


def test_one_server_a_workspace(served: tuple[Any, Endpoint]) -> None:
    world, endpoint = served
    with pytest.raises(ServingError, match="is served already"):
        Supervisor(world.workspace, "parcels").start()
    assert running(world.workspace) == endpoint


def test_the_end_drains_and_leaves_nothing_behind(world: Any) -> None:
    world.promote("v1")
    supervisor = Supervisor(world.workspace, "parcels", workers=2)
    endpoint = supervisor.start()
    pids = [view.pid for view in Board(Path(endpoint.board)).views()]
    with httpx.Client(base_url=endpoint.url, timeout=60) as http:
        answer = http.post("/v1/predict", json=world.parcel(1)).json()
        supervisor.stop()
    assert not any(alive(pid) for pid in [endpoint.pid, *pids])
    assert running(world.workspace) is None
    assert DecisionReader(world.workspace.decisions).get(answer["id"]) is not None
    with socket.socket() as probe:
        assert probe.connect_ex((endpoint.host, endpoint.port)) != 0


def test_a_deputy_takes_over_from_a_killed_supervisor_without_touching_a_worker(world: Any) -> None:
    world.promote("v1")
    with Supervisor(world.workspace, "parcels", workers=2) as endpoint:
        board = Board(Path(endpoint.board))
        pids = [view.pid for view in board.views()]
        for _ in range(2):  # the deputy that leads has a deputy of its own
            leader = board[Head.LEADER]
            until(lambda leader=leader: board[Head.DEPUTY] != leader and alive(board[Head.DEPUTY]))
            os.kill(leader, signal.SIGKILL)
            until(lambda leader=leader: board[Head.LEADER] != leader)
            found = running(world.workspace)
            assert found is not None
            assert (found.pid, found.url) == (board[Head.LEADER], endpoint.url)
        assert [view.pid for view in board.views()] == pids
        os.kill(pids[0], signal.SIGKILL)  # what was taken over is watched
        until(lambda: board.slot(0)[Cell.PID] != pids[0] and board.slot(0)[Cell.STATE] == State.READY)
        assert httpx.post(f"{endpoint.url}/v1/predict", json=world.parcel(1), timeout=60).status_code == 200
        leader = board[Head.LEADER]
    assert not any(alive(pid) for pid in [leader, *(view.pid for view in board.views())])


def test_workers_without_any_supervisor_serve_on_for_a_while_and_end(world: Any) -> None:
    world.promote("v1")
    supervisor = Supervisor(world.workspace, "parcels", 0, 1, "127.0.0.1", "--alone")
    endpoint = supervisor.start()
    board = Board(Path(endpoint.board))
    os.kill(endpoint.pid, signal.SIGKILL)
    until(lambda: not alive(endpoint.pid))
    assert httpx.post(f"{endpoint.url}/v1/predict", json=world.parcel(1), timeout=60).status_code == 200
    board[Head.LEADER_NS] -= int(LEASE_S * 1e9)  # as if that time had passed
    until(lambda: not alive(board.slot(0)[Cell.PID]))
    supervisor.stop()
    with Supervisor(world.workspace, "parcels", endpoint.port, 1, "127.0.0.1", "--alone") as again:
        assert httpx.post(f"{again.url}/v1/predict", json=world.parcel(1), timeout=60).status_code == 200


def test_the_server_ends_with_the_process_that_started_it(world: Any) -> None:
    world.promote("v1")
    code = (
        "import sys, pathlib, time\n"
        "from bluegold.core.workspace import Workspace\n"
        "from bluegold.production.operations.supervisor import Supervisor\n"
        "e = Supervisor(Workspace.open(pathlib.Path(sys.argv[1])), 'parcels', workers=1).start()\n"
        "print(e.pid, flush=True)\ntime.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(world.workspace.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        starter.kill()
    until(lambda: not alive(pid))


def test_a_server_that_ends_slowly_is_not_taken_over(world: Any) -> None:
    """A companion that does not end keeps its leader silent for longer than the deputy waits for a pulse."""
    world.promote("v1")
    server = Supervisor(world.workspace, "parcels", 0, 1, "127.0.0.1", "--sentinel", "0.2")
    with server as endpoint:
        board = Board(Path(endpoint.board))
        until(lambda: alive(board[Head.SENTINEL]) and alive(board[Head.DEPUTY]))
        deputy = board[Head.DEPUTY]
        os.kill(board[Head.SENTINEL], signal.SIGSTOP)
        os.kill(endpoint.pid, signal.SIGTERM)
        until(lambda: board[Head.STOPPED] == 1)
        until(lambda: not alive(deputy))
    assert board[Head.TAKEOVERS] == 0
