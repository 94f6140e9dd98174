"""The worker's own HTTP/1.1 server, byte by byte: order, limits, half requests, and noise."""

from __future__ import annotations

import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bluegold.core.workspace import Workspace
from bluegold.production.operations.board import Board, Cell
from bluegold.production.operations.processes import Endpoint
from bluegold.production.operations.supervisor import Supervisor
from bluegold.security.identities import Identities, make_key
from bluegold.security.signing import Signer

MODEL = "parcels"
BODY = b'{"depot":"north","kind":"box","weight":3.0,"handed_in":"2024-05-01T12:00:03"}'
HEAD = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
WHOLE = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY


@pytest.fixture(scope="module")
def server(template: Path, world_type: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Endpoint]]:
    root = tmp_path_factory.mktemp("wire") / "w"
    shutil.copytree(template, root)
    world = world_type(Workspace.open(root))
    world.promote("v1")
    with Supervisor(world.workspace, MODEL, workers=1) as endpoint:
        yield world, endpoint
    world.registry.close()


@pytest.fixture
def at(server: tuple[Any, Endpoint]) -> tuple[str, int]:
    return server[1].host, server[1].port


def talk(at: tuple[str, int], *parts: bytes, pause: float = 0.0, timeout: float = 3.0) -> bytes:
    """Everything the server says to these bytes until it hangs up or falls silent."""
    said = b""
    with socket.create_connection(at, timeout=timeout) as client:
        try:
            for part in parts:
                client.sendall(part)
                time.sleep(pause)
            client.settimeout(0.5)
            while chunk := client.recv(65_536):
                said += chunk
        except OSError:
            pass
    return said


def statuses(said: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]


def test_requests_sent_at_once_are_answered_in_their_order(at: tuple[str, int]) -> None:
    wrong = WHOLE.replace(b'"north"', b'"nowhr"')
    nothing = b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n"
    assert statuses(talk(at, (WHOLE + wrong + nothing) * 40)) == [200, 422, 404] * 40


def test_a_request_may_come_in_any_pieces(at: tuple[str, int]) -> None:
    chunked = HEAD + b"transfer-encoding: chunked\r\n\r\n"
    for index in range(0, len(BODY), 7):
        chunked += b"%x\r\n" % len(BODY[index : index + 7]) + BODY[index : index + 7] + b"\r\n"
    chunked += b"0\r\nx-trailer: 1\r\n\r\n"
    for whole in (WHOLE, chunked):
        assert statuses(talk(at, *(whole[index : index + 5] for index in range(0, len(whole), 5)))) == [200]


def test_the_connection_does_what_its_client_asks(at: tuple[str, int]) -> None:
    old = WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0")
    assert b"connection: close" in talk(at, old)
    assert b"connection: keep-alive" in talk(at, old.replace(b"host: x", b"connection: keep-alive"))
    assert statuses(talk(at, WHOLE.replace(b"host: x", b"connection: close") + WHOLE)) == [200]
    upgrade = WHOLE.replace(b"host: x", b"connection: upgrade\r\nupgrade: h2c")
    assert statuses(talk(at, upgrade + upgrade)) == [200, 200]
    assert statuses(talk(at, b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n")) == [400]
    expect = WHOLE.replace(b"host: x", b"expect: 100-continue")
    said = talk(at, expect[: -len(BODY)], BODY, pause=0.05)
    assert statuses(said) == [100, 200]
    head = talk(at, b"HEAD /v1/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert head.endswith(b"\r\n\r\n")
    assert b"content-length: 0" not in head
    assert b"\r\ndate: " in head


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello", 400),
        (HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"content-length: -1\r\n\r\n", 400),
        (HEAD + b"content-length: 99999999\r\n\r\n", 413),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n" + (b"10000\r\n" + b" " * 65_536 + b"\r\n") * 17, 413),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 20_000, 431),
        (b"GET /" + b"a" * 100_000, 431),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 100_000, 431),
        (b"\r\n" * 50_000, 431),
        (HEAD.replace(b"application/json", b"text/plain") + b"expect: 100-continue\r\ncontent-length: 5\r\n\r\n", 415),
    ],
)
def test_what_is_no_request_is_refused_and_ends_the_connection(at: tuple[str, int], sent: bytes, status: int) -> None:
    said = talk(at, sent)
    assert statuses(said) == [status]
    assert b"connection: close" in said


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(0, len(WHOLE)),
    noise=st.binary(max_size=40),
    at_byte=st.integers(0, len(WHOLE)),
    again=st.booleans(),
)
def test_no_noise_in_a_request_ends_in_a_fault(
    at: tuple[str, int], server: tuple[Any, Endpoint], cut: int, noise: bytes, at_byte: int, again: bool
) -> None:
    slot = Board(Path(server[1].board)).slot(0)
    pid, failed = slot[Cell.PID], slot[Cell.FAILED]
    with socket.create_connection(at, timeout=60) as client:
        client.sendall(WHOLE[:at_byte] + noise + WHOLE[at_byte:cut] + (WHOLE if again else b""))
    assert (slot[Cell.PID], slot[Cell.FAILED]) == (pid, failed)


def test_clients_that_vanish_or_dawdle_leave_nothing_behind(at: tuple[str, int], server: tuple[Any, Endpoint]) -> None:
    slot = Board(Path(server[1].board)).slot(0)
    files = Path(f"/proc/{slot[Cell.PID]}/fd")
    talk(at, WHOLE)
    time.sleep(0.1)
    before = len(list(files.iterdir()))
    held = [socket.create_connection(at, timeout=60) for _ in range(100)]
    for number, client in enumerate(held):
        client.sendall(WHOLE[: 10 + number * 3])
    assert statuses(talk(at, WHOLE)) == [200]
    for client in held:
        client.close()
    deadline = time.monotonic() + 60
    while len(list(files.iterdir())) > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(list(files.iterdir())) <= before


@pytest.mark.slow
def test_a_request_that_never_ends_is_refused_in_time(at: tuple[str, int]) -> None:
    found: dict[str, bytes] = {}

    def wait(name: str, sent: bytes) -> None:
        with socket.create_connection(at, timeout=60) as client:
            client.sendall(sent)
            found[name] = client.recv(65_536)

    cases = {"nothing": b"", "head": WHOLE[:30], "body": WHOLE[:-5], "second": WHOLE + WHOLE[:40]}
    threads = [threading.Thread(target=wait, args=case) for case in cases.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: statuses(said) for name, said in found.items()} == {
        "nothing": [], "head": [408], "body": [408], "second": [200]
    }  # fmt: skip


def test_a_key_is_needed_once_the_workspace_has_users(server: tuple[Any, Endpoint]) -> None:
    world, endpoint = server
    space = world.workspace
    application, key = make_key("shop", ("application",))
    reader, weak = make_key("eve", ("reader",))
    identities = Identities.open(space)
    with httpx.Client(base_url=endpoint.url, timeout=60) as http:

        def ask(key: str = "", **headers: str) -> httpx.Response:
            headers |= {"authorization": f"Bearer {key}"} if key else {}
            return http.post("/v1/predict", content=BODY, headers={"content-type": "application/json", **headers})

        assert ask(**{"x-bluegold-caller": "me"}).status_code == 200
        identities.write(1, (application, reader), Signer.open(space.keys))
        deadline = time.monotonic() + 60
        while (refused := ask()).status_code == 200:
            assert time.monotonic() < deadline
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert ask(key[:-1] + ("0" if key[-1] != "0" else "1")).status_code == 401
        assert ask(weak).status_code == 403
        answers = [ask(key, **{"x-bluegold-caller": "somebody else"}) for _ in range(3)]
        assert [one.status_code for one in answers] == [200] * 3
        path = f"/v1/decisions/{answers[0].json()['id']}"
        assert http.get(path).status_code == 401
        assert http.get(path, headers={"authorization": f"Bearer {key}"}).status_code == 403
        assert http.get("/v1/health").status_code == 200
        line = next(Path(space.decisions).glob("worker-*/*.jsonl")).read_text().splitlines()[-1]
        assert json.loads(line)["record"]["caller"] == "shop@127.0.0.1"
        space.root.joinpath("users.json").unlink()
