"""The edge: requests outlive their worker and are decided once; what it cannot pass on safely it refuses."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bluegold.core.workspace import Workspace
from bluegold.production.operations.board import Board, Cell, Head, State
from bluegold.production.operations.edge_http import Malformed, forwarded, parse_request
from bluegold.production.operations.known_answers import ask
from bluegold.production.operations.processes import Endpoint
from bluegold.production.operations.supervisor import Supervisor
from bluegold.production.operations.watched import alive
from bluegold.production.results.decision_log import DecisionReader
from bluegold.production.results.records import DecisionRecord
from bluegold.production.retries import recorded
from bluegold.registry.bundle import load_bundle


@pytest.fixture(scope="module")
def served(template: Path, world_type: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Endpoint]]:
    root = tmp_path_factory.mktemp("edge") / "w"
    shutil.copytree(template, root)
    world = world_type(Workspace.open(root))
    world.promote("v1")
    with Supervisor(world.workspace, "parcels", 0, 2, "127.0.0.1", "--edge") as endpoint:
        deadline = time.monotonic() + 60
        while httpx.get(f"{endpoint.url}/v1/health", timeout=60).status_code != 200:
            assert time.monotonic() < deadline
        yield world, endpoint
    world.registry.close()


def test_no_request_fails_and_none_is_decided_twice_when_workers_are_killed(served: tuple[Any, Endpoint]) -> None:
    world, endpoint = served
    board, stop = Board(Path(endpoint.board)), threading.Event()
    given: list[str] = []
    failed: list[str] = []

    def load() -> None:
        with httpx.Client(base_url=endpoint.url, timeout=20.0) as http:
            while not stop.is_set():
                try:
                    response = http.post("/v1/predict", json=world.parcel(len(given)))
                except httpx.HTTPError as error:
                    failed.append(repr(error))
                    continue
                (given if response.status_code == 200 else failed).append(response.json().get("id", response.text))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for worker, number in ((0, signal.SIGKILL), (1, signal.SIGKILL), (0, signal.SIGSTOP)):
        slot = board.slot(worker)
        deadline = time.monotonic() + 60
        while slot[Cell.STATE] != State.READY:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.2)
        before = slot[Cell.RESTARTS]
        os.kill(slot[Cell.PID], number)
        while slot[Cell.RESTARTS] == before:
            assert time.monotonic() < deadline
            time.sleep(0.001)
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(given) > 50
    reader = DecisionReader(world.workspace.decisions)
    kept = [one for one in reader.records() if isinstance(one, DecisionRecord)]
    assert [name for name, count in Counter(one.attempt for one in kept).items() if count > 1] == []
    assert set(given) <= {one.id for one in kept}
    assert {one.caller for one in kept} == {"127.0.0.1"}
    assert [one.id for one in recorded(world.workspace.decisions, kept[-1].attempt)] == [kept[-1].id]


def test_every_worker_behind_the_edge_gives_known_answers(served: tuple[Any, Endpoint]) -> None:
    world, endpoint = served
    token = (world.workspace.keys / "canary.token").read_text()
    found = ask(endpoint, token, load_bundle(world.registry, "parcels:v1").canaries, "blue")
    assert found.ok
    assert found.asked == 2 * 4


def test_a_name_that_a_client_gives_is_not_believed(served: tuple[Any, Endpoint]) -> None:
    world, endpoint = served
    forged = {"x-bluegold-attempt": "mine", "X-Bluegold-Peer": "10.0.0.1", "x-bluegold-retry": "1"}
    with httpx.Client(base_url=endpoint.url, timeout=60) as http:
        name = http.post("/v1/predict", json=world.parcel(1), headers=forged).json()["id"]
        record = http.get(f"/v1/decisions/{name}").json()
        assert http.head("/v1/health").status_code == 200
        assert http.get("/v1/health").json()["model"] == "parcels"  # the answer to HEAD had no body
    assert (record["caller"], record["attempt"] != "mine") == ("127.0.0.1", True)


def test_hostile_messages_get_an_answer_and_their_connection_ends(served: tuple[Any, Endpoint]) -> None:
    _, endpoint = served
    for sent, status in (
        (b"POST /v1/predict HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", b"411"),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 40_000, b"431"),
        (b"\x16\x03\x01\r\n\r\n", b"400"),
    ):
        with socket.create_connection((endpoint.host, endpoint.port), timeout=60) as client:
            client.sendall(sent)
            said = b""
            while more := client.recv(4096):
                said += more
            assert said.startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: 1\r\nContent-Length: +2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nx: y\ncontent-length: 5\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n", 413),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(head: bytes, status: int) -> None:
    with pytest.raises(Malformed) as caught:
        parse_request(bytearray(head))
    assert caught.value.status == status


def test_only_headers_of_the_connection_are_taken_out() -> None:
    head = b"POST /x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nX-Bluegold-Peer: 1\r\nx-request-id: 7\r\n\r\n"
    assert forwarded(head, b"a: b\r\n") == b"POST /x HTTP/1.1\r\na: b\r\nHost: a\r\nx-request-id: 7\r\n\r\n"


def test_the_edge_outlives_the_supervisor_and_is_not_started_twice(served: tuple[Any, Endpoint]) -> None:
    world, endpoint = served
    board = Board(Path(endpoint.board))
    edge, leader, deadline = board[Head.EDGE], board[Head.LEADER], time.monotonic() + 60
    assert edge > 0
    with httpx.Client(base_url=endpoint.url, timeout=20.0) as http:
        assert http.post("/v1/predict", json=world.parcel(1)).status_code == 200
        while not alive(board[Head.DEPUTY]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(leader, signal.SIGKILL)
        while board[Head.LEADER] == leader or not alive(board[Head.DEPUTY]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert http.post("/v1/predict", json=world.parcel(2)).status_code == 200
    assert board[Head.EDGE] == edge
