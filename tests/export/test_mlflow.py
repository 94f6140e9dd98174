"""Versions in an MLflow server and back, against a real server where one is installed."""

from __future__ import annotations

import http.server
import json
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

import httpx
import pytest

from bluegold.core.errors import DataError, StoreError, UsageError
from bluegold.core.nouns import GateReport, Lineage, now
from bluegold.core.workspace import Workspace
from bluegold.export.mlflow.client import Client
from bluegold.export.mlflow.importing import FILE, take
from bluegold.export.mlflow.mirror import Mirrored, mirror
from bluegold.registry import Registry

SERVER = shutil.which("mlflow", path=str(Path(sys.executable).parent)) or shutil.which("mlflow")
real = pytest.mark.skipif(SERVER is None, reason="no mlflow command is installed beside Python or in PATH")
LINEAGE = Lineage(
    code="0" * 40, data="d", features="f", parameters={"leaves": 31}, environment="e", seeds={"fit": 7}, run_id="r"
)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(Workspace.create(tmp_path / "w"), actor="ada") as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real tracking server on loopback, with its database and files in a folder of its own."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(SERVER), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/m.db", "--artifacts-destination", str(folder / "files")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        until = time.monotonic() + 180
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == httpx.codes.OK:
                    break
            except httpx.HTTPError:
                pass
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


@real
@pytest.mark.slow
def test_versions_are_mirrored_once_and_follow_their_stage(registry: Registry, server: str) -> None:
    for number in (1, 2):
        registry.versions.register("rides", {"a.json": b"%d" % number}, LINEAGE, {"auc": 0.9 + number / 100})
    report = GateReport(
        gate="1 model", candidate="rides:v1", verdict="pass", measures=(), reason="fine", seconds=0, at=now()
    )
    registry.gates.record(report)
    with Client(server) as client:
        assert mirror(registry, client) == (Mirrored(model="rides", versions=2, made=2, changed=0),)
        assert mirror(registry, client) == (Mirrored(model="rides", versions=2, made=0, changed=0),)
        for step in ("Staging", "Canary"):
            registry.lifecycle.transition("rides:v1", step, reason="a test", evidence=("report 7",))
        registry.promote("rides:v1", reason="a test")
        (done,) = mirror(registry, client)
        assert done.made == 0
        assert done.changed == 3  # stage, who decided, and the alias
        assert mirror(registry, client, ("rides",))[0].changed == 0
        entry = client.get("registered-models/alias", name="rides", alias="production")["model_version"]
        tags = {one["key"]: one["value"] for one in entry["tags"]}
        run = client.get("runs/get", run_id=entry["run_id"])["run"]["data"]
    assert tags["bluegold.digest"] == registry.versions.get("rides:v1").digest
    assert (tags["bluegold.stage"], tags["bluegold.gates"]) == ("Production", "1 model: pass")
    assert [one["on"] for one in json.loads(tags["bluegold.decided"])][1] == ["report 7"]
    assert [(one["key"], one["value"]) for one in run["metrics"]] == [("auc", 0.91)]
    assert {"key": "leaves", "value": "31"} in run["params"]
    assert {"key": "seed.fit", "value": "7"} in run["params"]


@real
@pytest.mark.slow
def test_a_model_comes_over_as_evidence_and_its_pickle_stays(registry: Registry, server: str) -> None:
    with Client(server) as client:
        run = client.post("runs/create", experiment_id="0", start_time=1)["run"]["info"]
        metrics = [{"key": "auc", "value": 0.8, "timestamp": 1, "step": 0}]
        client.post("runs/log-batch", run_id=run["run_id"], metrics=metrics, params=[{"key": "depth", "value": "3"}])
        where = f"{server}/api/2.0/mlflow-artifacts/artifacts/0/{run['run_id']}/artifacts/model"
        for name, content in (("model.pkl", b"cos\nsystem\n."), ("MLmodel", b"signature: {inputs: x}")):
            assert httpx.put(f"{where}/{name}", content=content, timeout=60).status_code == httpx.codes.OK
        client.post("registered-models/create", name="old model")
        source = f"{run['artifact_uri']}/model"
        client.post("model-versions/create", name="old model", source=source, run_id=run["run_id"])
        with pytest.raises(UsageError, match="--as"):
            take(registry, client, "old model")
        taken = take(registry, client, "old model", "rides")
        assert take(registry, client, "old model/1", "rides") == taken
        with pytest.raises(DataError, match="has no version 'old model/9'"):
            take(registry, client, "old model/9", "rides")
    assert taken.unsafe == ("model/model.pkl",)
    assert taken.version.metrics == {"auc": 0.8}
    assert taken.version.lineage.parameters == {"depth": "3"}
    kept = json.loads(registry.versions.artefact(taken.version.ref, FILE))
    assert kept["signature"] == "signature: {inputs: x}"
    assert kept["files"] == ["model/MLmodel", "model/model.pkl"]


def test_a_server_that_is_gone_is_one_sentence(registry: Registry) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        registry.versions.register("rides", {"a.json": b"1"}, LINEAGE, {})
        with (
            Client(f"http://127.0.0.1:{taken.getsockname()[1]}") as client,
            pytest.raises(StoreError, match="does not answer"),
        ):
            mirror(registry, client)


@pytest.mark.parametrize("uri", ["file:///tmp/x", "127.0.0.1:5000", "http://ada:secret@127.0.0.1", ""])
def test_an_address_of_no_server_is_refused_without_its_password(uri: str) -> None:
    with pytest.raises(UsageError, match="no address of a tracking server") as found:
        Client(uri)
    assert "secret" not in str(found.value)


@pytest.mark.parametrize(
    ("status", "said", "told"),
    [(404, b"<html>", "status 404"), (401, b"{}", "refuses the caller"), (200, b"[]", "status 200")],
)
def test_a_server_that_is_another_is_one_sentence(status: int, said: bytes, told: str) -> None:
    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        with Client(f"http://127.0.0.1:{other.server_port}", "t0ken") as client, pytest.raises(StoreError) as found:
            client.get("registered-models/get", name="x")
        other.shutdown()
    assert told in str(found.value)
    assert "t0ken" not in str(found.value)
