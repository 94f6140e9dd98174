"""The serving side over HTTP: two real worker processes, real requests, hostile ones too."""

from __future__ import annotations

import gzip
import json
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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bluegold.core.workspace import Workspace
from bluegold.production.canary import HEADER, canary_token
from bluegold.production.operations.processes import Endpoint
from bluegold.production.operations.supervisor import Supervisor
from bluegold.production.results.decision_log import DecisionReader
from bluegold.production.results.records import DecisionRecord, OutcomeRecord

MODEL = "parcels"


def parcel(number: int) -> dict[str, Any]:
    return {
        "depot": ("north", "south")[number % 2],
        "kind": ("box", "tube")[number % 2],
        "weight": float(number),
        "handed_in": f"2024-05-01T12:00:{number:02d}",
    }


@pytest.fixture(scope="module")
def server(template: Path, world_type: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Endpoint]]:
    root = tmp_path_factory.mktemp("http") / "w"
    shutil.copytree(template, root)
    world = world_type(Workspace.open(root))
    world.promote("v1")
    with Supervisor(world.workspace, MODEL, workers=2) as endpoint:
        yield world, endpoint
    world.registry.close()


@pytest.fixture(scope="module")
def http(server: tuple[Any, Endpoint]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server[1].url, timeout=60) as client:
        yield client


def send(http: httpx.Client, body: bytes, path: str = "/v1/predict", **headers: str) -> httpx.Response:
    return http.post(path, content=body, headers={"content-type": "application/json", **headers})


def test_an_answer_is_recorded_and_explained(http: httpx.Client) -> None:
    answer = http.post("/v1/predict", json=parcel(3)).json()
    assert set(answer) == {"id", "value", "score", "version", "color", "flags", "latency_ms"}
    assert (answer["version"], answer["color"], answer["flags"]) == ("v1", "blue", [])
    found = http.get(f"/v1/decisions/{answer['id']}").json()
    assert found["score"] == answer["score"]
    assert found["payload"] == parcel(3)
    assert len(found["vector"]) == 2
    assert found["features_digest"]
    assert found["input_digest"]


def test_many_rows_are_answered_in_order_and_an_impossible_value_is_flagged(http: httpx.Client) -> None:
    rows = [parcel(1), {**parcel(2), "weight": 1e300}, {**parcel(3), "kind": "barrel"}]
    answers = http.post("/v1/predict", json={"rows": rows}).json()["rows"]
    assert [answer["flags"] for answer in answers] == [[], ["weight:clipped"], ["kind:unknown"]]
    one = http.post("/v1/predict", json={"rows": rows[:1]}).json()
    assert list(one) == ["rows"]


def test_the_answer_is_the_one_of_the_batch_matrix(server: tuple[Any, Endpoint], http: httpx.Client) -> None:
    """The score over HTTP is bit for bit what the registered model says about the recorded vector."""
    from bluegold.registry.bundle import load_bundle

    answer = http.post("/v1/predict", json=parcel(5)).json()
    found = DecisionReader(server[0].workspace.decisions).get(answer["id"])
    assert found is not None
    bundle = load_bundle(server[0].registry, f"{MODEL}:v1")
    assert bundle.predictor.score_row(found.matrix_row()) == answer["score"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"null", 400),
        (b"1", 400),
        (b'"x"', 400),
        (b"[]", 400),
        (b"\xff\xfe{}", 400),
        (b'{"depot":"\xff"}', 400),
        (b"[" * 500_000, 400),
        (b'{"a":' * 100_000, 422),
        (b"{}", 422),
        (b'{"rows":[]}', 422),
        (b'{"rows":1}', 422),
        (b'{"rows":[' + b",".join([b"{}"] * 1001) + b"]}", 422),
    ],
)
def test_malformed_bodies_are_problems_of_the_client(http: httpx.Client, body: bytes, status: int) -> None:
    response = send(http, body)
    assert response.status_code == status, response.text
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["detail"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"depot": "east"}, "depot"),
        ({"depot": 3}, "depot"),
        ({"depot": None}, "depot"),
        ({"weight": "heavy"}, "weight"),
        ({"weight": None}, "weight"),
        ({"weight": [1]}, "weight"),
        ({"handed_in": "yesterday"}, "handed_in"),
        ({"handed_in": "0001-01-01T00:00:00"}, "handed_in"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_wrong_field_is_named(http: httpx.Client, change: dict[str, Any], field: str) -> None:
    response = send(http, json.dumps({**parcel(1), **change}).encode())
    assert response.status_code == 422
    assert response.json()["field"] == field
    many = send(http, json.dumps({"rows": [parcel(0), {**parcel(1), **change}]}).encode())
    assert many.status_code == 422
    assert many.json()["field"].endswith(field)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" + "0" * 400, "-0.0", "1e-400", "9" * 19, "0." + "1" * 5000])
def test_extreme_numbers_are_flagged_or_refused(http: httpx.Client, number: str) -> None:
    body = json.dumps({**parcel(1), "weight": 0.125}).replace("0.125", number)
    response = send(http, body.encode())
    assert response.status_code in {200, 400, 422}, response.text
    if response.status_code == 200:
        assert 0.0 <= response.json()["score"] <= 1.0


def test_limits_methods_and_kinds(http: httpx.Client) -> None:
    assert send(http, b" " * (1 << 20) + b"{}").status_code == 413
    assert http.post("/v1/predict", content=iter([b"x" * 700_000] * 2), headers={"content-type": "application/json"}).status_code == 413  # fmt: skip  # noqa: E501
    assert http.post("/v1/predict", content=b"{}").status_code == 415
    packed = send(http, gzip.compress(b"{}"), **{"content-encoding": "gzip"})
    assert packed.status_code == 415
    assert "content-encoding 'gzip'" in packed.json()["detail"]
    assert http.get("/v1/predict").status_code == 405
    assert http.get("/v1/predict").headers["allow"] == "POST"
    assert http.delete("/v1/health").status_code == 405
    assert http.get("/nothing").status_code == 404
    assert http.get("/v1/decisions/0-1-99999999").status_code == 404
    assert http.get("/v1/decisions/..%2f..%2fetc").status_code == 404
    assert http.head("/v1/health").status_code == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.dictionaries(st.sampled_from(["depot", "kind", "weight", "handed_in", "rows", "x"]), JSON, max_size=6)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON | FIELDS | FIELDS.map(lambda change: {**parcel(1), **change}), path=st.sampled_from(["predict", "outcomes"]))  # fmt: skip  # noqa: E501
def test_no_json_ends_in_a_fault_of_the_server(http: httpx.Client, value: Any, path: str) -> None:
    response = send(http, json.dumps(value).encode("utf-8", "surrogatepass"), f"/v1/{path}")
    assert response.status_code < 500, response.text


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
def test_no_bytes_end_in_a_fault_of_the_server(http: httpx.Client, body: bytes) -> None:
    assert send(http, body).status_code in {400, 422}


def test_half_open_connections_do_not_keep_others_from_answers(
    server: tuple[Any, Endpoint], http: httpx.Client
) -> None:
    endpoint = server[1]
    held = [socket.create_connection((endpoint.host, endpoint.port)) for _ in range(50)]
    try:
        for number, one in enumerate(held):
            head = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n"
            one.sendall(head[: 20 + number * 2] if number % 2 else head + b"\r\n{")
        assert http.post("/v1/predict", json=parcel(1)).status_code == 200
    finally:
        for one in held:
            one.close()
    assert http.post("/v1/predict", json=parcel(1)).status_code == 200


def test_outcomes_are_joined_by_id(server: tuple[Any, Endpoint], http: httpx.Client) -> None:
    reader = DecisionReader(server[0].workspace.decisions)
    positions = reader.end()
    name = http.post("/v1/predict", json=parcel(9)).json()["id"]
    assert http.post("/v1/outcomes", json={"outcomes": [{"id": name, "value": True}]}).json() == {"recorded": 1}
    found, _ = reader.tail(positions)
    assert [one.id for one in found if isinstance(one, DecisionRecord)] == [name]
    assert [(one.id, one.value) for one in found if isinstance(one, OutcomeRecord)] == [(name, True)]
    bad = http.post("/v1/outcomes", json={"outcomes": [{"id": name, "value": 1}, {"id": "x", "value": 1}]})
    assert (bad.status_code, bad.json()["field"]) == (422, "outcomes[1].id")
    bad = http.post("/v1/outcomes", json={"outcomes": [{"id": name}]})
    assert (bad.status_code, bad.json()["field"]) == (422, "outcomes[0].value")


def test_known_answers_need_the_token(server: tuple[Any, Endpoint], http: httpx.Client) -> None:
    token = canary_token(server[0].workspace.keys)
    body = b'{"canary":"c1","color":"blue"}'
    good = send(http, body, **{HEADER: token}).json()
    assert good["correct"] is True
    assert good["score"] == good["expected"]
    for wrong in ("", "x", token[:-1], token + "x", "ä"):
        response = http.post(
            "/v1/predict",
            content=body,
            headers={"content-type": "application/json", HEADER: wrong.encode("latin-1")},  # type: ignore[dict-item]
        )
        assert response.status_code == 403, wrong
    assert send(http, b'{"canary":"c1","color":"gold"}', **{HEADER: token}).status_code == 404
    assert send(http, b'{"canary":"zz","color":"blue"}', **{HEADER: token}).status_code == 404
    assert send(http, b'{"canary":1}', **{HEADER: token}).status_code == 400
    recorded = DecisionReader(server[0].workspace.decisions).get(good["id"])
    assert recorded is not None
    assert recorded.canary is True


def test_views_show_the_whole_server(http: httpx.Client) -> None:
    health = http.get("/v1/health").json()
    assert (health["status"], health["mode"], health["applied"]) == ("ok", "executing", True)
    assert [worker["state"] for worker in health["workers"]] == ["ready", "ready"]
    rollout = http.get("/v1/rollout").json()
    assert rollout["traffic"]["blue"] == f"{MODEL}:v1"
    assert rollout["production"]["to_stage"] == "Production"
    metrics = http.get("/metrics").text
    assert 'bluegold_decisions_total{worker="0"}' in metrics
    assert 'bluegold_request_seconds_bucket{le="+Inf",worker="1"}' in metrics
    total = sum(float(line.split()[1]) for line in metrics.splitlines() if line.startswith("bluegold_decisions_total"))
    assert total > 0


def test_the_example_in_the_openapi_document_works(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    content = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert http.post("/v1/predict", json=content["example"]).status_code == 200
    assert set(document["paths"]) == {
        "/v1/predict", "/v1/decisions/{id}", "/v1/outcomes", "/v1/rollout", "/v1/health", "/metrics"
    }  # fmt: skip


def test_the_serving_process_loads_no_data_frame_library() -> None:
    """What a worker imports up to its first answer; training libraries would cost seconds and memory."""
    code = (
        "import sys; sys.argv=['w']; import bluegold.production.worker, bluegold.production.loading\n"
        "import bluegold.registry.predictors.linear, bluegold.registry.predictors.lightgbm_native\n"
        "heavy = 'pandas', 'sklearn', 'polars', 'lightgbm', 'scipy', 'numpy', 'prometheus_client'\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_workers_map_no_data_frame_library(server: tuple[Any, Endpoint], http: httpx.Client) -> None:
    """The same, seen from outside: the shared libraries mapped by the live worker processes."""
    for worker in http.get("/v1/health").json()["workers"]:
        with open(f"/proc/{worker['pid']}/maps", encoding="utf-8") as file:  # noqa: PTH123 - a kernel file
            mapped = file.read()
        assert "httptools" in mapped
        assert not [name for name in ("polars", "pandas", "sklearn", "pyarrow", "numpy") if f"/{name}/" in mapped]


def test_nothing_listens_beyond_loopback(server: tuple[Any, Endpoint]) -> None:
    assert server[1].host == "127.0.0.1"
    with socket.socket() as probe:
        probe.settimeout(0.5)
        host = socket.gethostbyname(socket.gethostname())
        if host.startswith("127."):
            pytest.skip("this machine has no other address")
        assert probe.connect_ex((host, server[1].port)) != 0


def test_a_server_without_a_version_says_so(world: Any) -> None:
    with (
        Supervisor(world.workspace, MODEL, workers=1) as endpoint,
        httpx.Client(base_url=endpoint.url, timeout=60) as client,
    ):
        response = client.post("/v1/predict", json=parcel(1))
        assert response.status_code == 503
        assert "no version of 'parcels' is in production yet" in response.json()["detail"]
        assert response.headers["retry-after"]
        assert client.get("/v1/health").json()["mode"] == "learning"
        world.promote("v1")
        deadline = time.monotonic() + 60
        while client.post("/v1/predict", json=parcel(1)).status_code != 200:
            assert time.monotonic() < deadline


def test_a_version_that_cannot_be_loaded_is_not_called_missing(world: Any) -> None:
    world.promote("v1")
    for file in (world.workspace.root / "objects").rglob("*"):
        if file.is_file():
            file.chmod(0o600)
            file.write_bytes(b"damaged")
    with (
        Supervisor(world.workspace, MODEL, workers=1) as endpoint,
        httpx.Client(base_url=endpoint.url, timeout=60) as client,
    ):
        deadline = time.monotonic() + 60
        while client.get("/v1/health").json()["mode"] != "degraded":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        response = client.post("/v1/predict", json=parcel(1))
        assert response.status_code == 503
        assert "cannot be loaded" in response.json()["detail"]


def test_a_field_that_stands_twice_is_refused(http: httpx.Client) -> None:
    """Readers do not agree on which of the two counts, so what was decided on could be argued about."""
    body = json.dumps(parcel(1))
    twice = send(http, (body[:-1] + ', "weight": 29.0}').encode())
    assert (twice.status_code, twice.json()["field"]) == (422, "weight")
    assert "stands twice" in twice.json()["detail"]
