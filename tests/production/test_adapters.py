"""One application behind three servers: the worker's own, uvicorn (ASGI) and granian (RSGI)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bluegold.core.workspace import Workspace
from bluegold.production.operations.supervisor import Supervisor
from bluegold.production.results.decision_log import DecisionReader

MODEL = "parcels"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def workspace(template: Path, world_type: Any, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("adapters") / "w"
    shutil.copytree(template, root)
    world = world_type(Workspace.open(root))
    world.promote("v1")
    world.registry.close()
    return Workspace.open(root)


@pytest.fixture(scope="module", params=["worker", "uvicorn", "granian"])
def http(request: pytest.FixtureRequest, workspace: Workspace) -> Iterator[httpx.Client]:
    if request.param == "worker":
        with (
            Supervisor(workspace, MODEL, workers=1) as endpoint,
            httpx.Client(base_url=endpoint.url, timeout=60) as client,
        ):
            yield client
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    commands = {
        "uvicorn": ["uvicorn", "bluegold.production.asgi:application", "--port", port, "--log-level", "error"],
        "granian": [
            "granian",
            "--interface",
            "rsgi",
            "--no-log",
            "bluegold.production.rsgi:application",
            "--port",
            port,
        ],
    }
    environment = {**os.environ, "BLUEGOLD_WORKSPACE": str(workspace.root)}
    process = subprocess.Popen([sys.executable, "-m", *commands[request.param]], env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            deadline = time.monotonic() + 60
            while not _answers(client):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield client
    finally:
        process.terminate()
        assert process.wait(10) is not None


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/v1/health").status_code == 200
    except httpx.TransportError:
        return False


def test_every_server_gives_the_same_answers(http: httpx.Client, world_type: Any, workspace: Workspace) -> None:
    row = world_type.parcel(3)
    said = http.post("/v1/predict", json=row, headers={"x-request-id": "r1", "x-bluegold-caller": "me"}).json()
    recorded = DecisionReader(workspace.decisions).get(said["id"])
    assert recorded is not None
    assert (recorded.request, recorded.caller, recorded.payload) == ("r1", "me@127.0.0.1", row)
    assert http.get(f"/v1/decisions/{said['id']}").json()["score"] == said["score"]
    many = http.post("/v1/predict", json={"rows": [row, {**row, "kind": "barrel"}]}).json()["rows"]
    assert [one["flags"] for one in many] == [[], ["kind:unknown"]]
    assert http.post("/v1/outcomes", json={"outcomes": [{"id": said["id"], "value": True}]}).json() == {"recorded": 1}


def test_every_server_refuses_the_same(http: httpx.Client, world_type: Any) -> None:
    wrong = http.post("/v1/predict", json={**world_type.parcel(1), "depot": "east"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "depot")
    assert wrong.headers["content-type"] == "application/problem+json"
    assert http.post("/v1/predict", content=b"{", headers=JSON).status_code == 400
    assert http.post("/v1/predict", content=b"{}").status_code == 415
    for _ in range(40):  # the answer must not be lost with the rest of a body that nobody wants
        assert http.post("/v1/predict", content=b" " * (1 << 20) + b"{}", headers=JSON).status_code == 413
    assert http.post("/v1/predict", content=iter([b" " * 700_000] * 2), headers=JSON).status_code == 413
    assert http.get("/v1/predict").headers["allow"] == "POST"
    assert http.get("/nothing").status_code == 404
    head = http.head("/v1/health")
    assert (head.status_code, head.content) == (200, b"")
    assert "bluegold_decisions_total" in http.get("/metrics").text
    assert "/v1/predict" in http.get("/openapi.json").json()["paths"]
