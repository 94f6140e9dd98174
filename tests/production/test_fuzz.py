"""Nothing that a client sends ends in a fault of the server, and nothing stays behind: files, connections, memory."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from bluegold.core.workspace import Workspace
from bluegold.production.operations.board import Board, Cell, Slot
from bluegold.production.operations.processes import Endpoint
from bluegold.production.operations.supervisor import Supervisor

MODEL = "parcels"
BODY = b'{"depot":"north","kind":"box","weight":3.0,"handed_in":"2024-05-01T12:00:03"}'
HEAD = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
WHOLE = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
QUIET = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
GROWTH_KB = 24 * 1024
"""Memory of its own, in KiB; pages of the online store, which grows with every decision, are files and not counted."""


class Held(NamedTuple):
    """What a worker holds at one moment."""

    files: int
    connections: int
    tasks: int
    threads: int
    memory_kb: int


class Server:
    """A running worker, and a look at what it holds."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.slot: Slot = Board(Path(endpoint.board)).slot(0)
        self.process = self.slot[Cell.PID]

    @property
    def faults(self) -> tuple[int, int]:
        """Its process (another one if it died) and how many requests failed on its side."""
        return self.slot[Cell.PID], self.slot[Cell.FAILED]

    def held(self) -> Held:
        proc = Path(f"/proc/{self.slot[Cell.PID]}")
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        files = len(os.listdir(proc / "fd"))  # noqa: PTH208 - an entry may vanish while it is listed
        counted = self.slot[Cell.CONNECTIONS], self.slot[Cell.TASKS]
        return Held(files, *counted, int(status["Threads"]), int(status["RssAnon"].split()[0]))

    def settled(self, reached: Callable[[Held], bool]) -> Held:
        """What it holds once that is little enough, or after a minute."""
        deadline = time.monotonic() + 60
        while not reached(found := self.held()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found


@pytest.fixture(scope="module")
def server(template: Path, world_type: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("fuzz") / "w"
    shutil.copytree(template, root)
    world = world_type(Workspace.open(root))
    world.promote("v1")
    with Supervisor(world.workspace, MODEL, 0, 1, "127.0.0.1", "--alone") as endpoint:
        yield Server(endpoint)
    world.registry.close()


def operations(url: str, modes: list[GenerationMode]) -> dict[str, st.SearchStrategy[Any]]:
    """A strategy of requests for every operation that the running server describes."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    found = {}
    for result in schema.get_all_operations():
        operation = result.ok()
        found[operation.label] = st.one_of(
            *(operation.as_strategy(generation_mode=mode) for mode in modes if mode.is_positive or operation.body)
        )
    return found


def test_requests_made_from_the_api_description_find_no_fault(server: Server) -> None:
    before = server.faults
    held = (checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance)
    found = operations(server.endpoint.url, list(GenerationMode))
    assert set(found) >= {"POST /v1/predict", "POST /v1/outcomes", "GET /v1/decisions/{id}", "GET /v1/health"}
    with httpx.Client(base_url=server.endpoint.url, timeout=60) as http:
        seen = set()
        for label, strategy in found.items():

            @settings(QUIET, max_examples=25 if label.startswith("POST") else 6)
            @given(case=strategy)
            def ask(case: Any) -> None:
                response = case.call(session=None)
                case.validate_response(response, checks=held)
                assert response.status_code < 500
                if case.meta and case.meta.generation.mode.is_negative:
                    assert response.status_code >= 400, "what the description does not allow was taken"
                seen.add(response.status_code)

            ask()
        assert http.post("/v1/predict", content=BODY, headers={"content-type": "application/json"}).status_code == 200
    assert seen >= {200, 404, 422}
    assert server.faults == before


TOKENS = [b'{"rows":', b"[", b"]", b"{", b"}", b",", b'"depot":', b'"north"', b"null", b"1e999", b"-0.0", b"NaN"]
TOKENS += [b'"\\ud800"', b"\xff", b"\x00", b'"weight":', b"1" * 400, b"true", BODY, b'"handed_in":"9999-12-31T24:00"']
OURS = [f"x-bluegold-{name}" for name in ("canary", "caller", "attempt", "retry", "peer")]
NAMES = ("x-request-id", "authorization", "accept", "te", "content-encoding", "range", "cookie", "x-forwarded-for")
VALUES = st.one_of(
    st.sampled_from([b"1", b"Bearer ", b"Bearer x", b"gzip", b"bytes=0-", b'{"canary":"c0"}', b"a" * 9000]),
    st.binary(max_size=30).map(lambda raw: bytes(byte for byte in raw if byte > 31 and byte != 127)),
)
PATHS = ("/v1/predict", "/v1/predict", "/v1/outcomes", "/v1/decisions/0-1-0", "/v1/decisions/%00", "/metrics")


@settings(QUIET, max_examples=150)
@given(
    body=st.one_of(st.lists(st.sampled_from(TOKENS), max_size=12).map(b"".join), st.binary(max_size=60)),
    headers=st.lists(st.tuples(st.sampled_from([*NAMES, *OURS]), VALUES), max_size=5),
    path=st.sampled_from(PATHS),
    kind=st.sampled_from([b"application/json", b"application/json; charset=utf-7", b"text/plain", b""]),
)
def test_no_body_and_no_header_is_a_fault(
    server: Server, body: bytes, headers: list[tuple[str, bytes]], path: str, kind: bytes
) -> None:
    before = server.faults
    lines = b"".join(b"%b: %b\r\n" % (name.encode(), value) for name, value in headers)
    method = b"POST" if path.startswith(("/v1/p", "/v1/o")) else b"GET"
    head = b"%b %b HTTP/1.1\r\nhost: x\r\ncontent-type: %b\r\nconnection: close\r\n" % (method, path.encode(), kind)
    with socket.create_connection((server.endpoint.host, server.endpoint.port), timeout=60) as client:
        client.sendall(head + lines + b"content-length: %d\r\n\r\n" % len(body) + body)
        said = client.makefile("rb").read()
    assert said.startswith(b"HTTP/1.1 "), said[:80]
    assert int(said[9:12]) < 500, said
    assert server.faults == before


def wave(server: Server, clients: int) -> None:
    """Clients that dawdle, stop half-way, hang up rudely, talk noise, or never take their answers, all at once."""
    address = (server.endpoint.host, server.endpoint.port)
    sent = [
        b"",
        WHOLE[:25],
        WHOLE[:-9],
        WHOLE * 30 + b"\x16\x03\x01 garbage \r\n\r\n" * 20,
        HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhel",
        b"GET / HTTP/1.1\r\n" + b"x-y: z\r\n" * 12_000,
        WHOLE * 300,
        HEAD + b"expect: 100-continue\r\ncontent-length: 900000\r\n\r\n",
    ]
    with contextlib.ExitStack() as held:
        for number in range(clients):
            client = held.enter_context(socket.create_connection(address, timeout=60))
            with contextlib.suppress(OSError):  # the server may hang up first
                client.sendall(sent[number % len(sent)])
            if number % 3 == 0:  # a reset instead of an orderly end
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif number % 3 == 1:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_WR)  # half-open: it sends no more, and still listens
        with socket.create_connection(address, timeout=60) as client:
            client.sendall(WHOLE)
            assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_clients_that_misbehave_leave_nothing_behind(server: Server) -> None:
    wave(server, 64)  # what is allocated once and kept
    faults = server.faults
    first = server.settled(lambda now: now.connections == 0)
    for _ in range(3):
        wave(server, 160)
    last = server.settled(lambda now: now.connections == 0 and now.files <= first.files and now.tasks <= first.tasks)
    assert server.faults == faults
    assert last.connections == 0
    assert last.files <= first.files
    assert last.tasks <= first.tasks
    assert last.threads <= first.threads + 4, "threads come from pools of a fixed size"
    assert last.memory_kb - first.memory_kb < GROWTH_KB
