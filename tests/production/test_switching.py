"""Switches and failures of Gold, with real traffic: nobody fails, entities keep their colour, Blue is untouched."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bluegold.core.workspace import Workspace
from bluegold.production.canary import canary_token
from bluegold.production.operations.board import Board
from bluegold.production.operations.known_answers import ask
from bluegold.production.operations.processes import Endpoint, pinned
from bluegold.production.operations.safe_mode import to_safety
from bluegold.production.operations.supervisor import Supervisor
from bluegold.production.results.decision_log import DecisionReader
from bluegold.production.results.records import DecisionRecord
from bluegold.registry.bundle import load_bundle


@pytest.fixture(scope="module")
def running(
    template: Path, world_type: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, Endpoint]]:
    root = tmp_path_factory.mktemp("switching") / "w"
    shutil.copytree(template, root)
    world = world_type(Workspace.open(root))
    world.promote("v1")
    with Supervisor(world.workspace, "parcels", workers=2) as endpoint:
        yield world, endpoint
    world.registry.close()


@pytest.fixture
def served(running: tuple[Any, Endpoint]) -> tuple[Any, Endpoint]:
    world, endpoint = running
    assert Board(Path(endpoint.board)).wait_applied(world.split(blue="v1").revision)
    return world, endpoint


Answers = list[tuple[int, dict[str, Any]]]


@contextmanager
def traffic(endpoint: Endpoint, parcel: Any, clients: int = 4) -> Iterator[Answers]:
    """Clients that ask without pause; every answer and every failure is kept."""
    answers: Answers = []
    stop = threading.Event()

    def ask_on(name: int) -> None:
        with httpx.Client(base_url=endpoint.url, timeout=60) as http:
            number = name
            while not stop.is_set():
                try:
                    response = http.post(
                        "/v1/predict", json=parcel(number), headers={"x-request-id": f"e{number % 40}"}
                    )
                    answers.append((response.status_code, response.json()))
                except httpx.HTTPError as error:
                    answers.append((0, {"error": repr(error)}))
                number += clients

    threads = [threading.Thread(target=ask_on, args=(name,)) for name in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_no_request_fails_while_the_traffic_switches(served: tuple[Any, Endpoint]) -> None:
    world, endpoint = served
    board = Board(Path(endpoint.board))
    waits = []
    with traffic(endpoint, world.parcel) as answers:
        for number in range(20):
            mode, share = (("shadow", 0.0), ("canary", 0.25), ("shift", 1.0), ("off", 0.0))[number % 4]
            gold = "" if mode == "off" else "v2"
            began = time.perf_counter()
            split = world.split(gold=gold, gold_share=share, mode=mode)
            assert board.wait_applied(split.revision, 3.0)
            waits.append(time.perf_counter() - began)
            time.sleep(0.05)
    failed = [answer for answer in answers if answer[0] != 200]
    assert failed == []
    assert {answer["version"] for _, answer in answers} == {"v1", "v2"}
    assert max(waits) < 2.0


def test_an_entity_keeps_its_colour_and_a_larger_share_only_adds(served: tuple[Any, Endpoint]) -> None:
    world, endpoint = served
    board = Board(Path(endpoint.board))
    gold: list[set[str]] = []
    with httpx.Client(base_url=endpoint.url, timeout=60) as http:
        for share in (0.2, 0.6):
            split = world.split(gold="v2", gold_share=share, mode="canary")
            assert board.wait_applied(split.revision)
            colours: dict[str, set[str]] = {}
            for number in range(120):
                name = f"e{number % 60}"
                answer = http.post("/v1/predict", json=world.parcel(number), headers={"x-request-id": name}).json()
                colours.setdefault(name, set()).add(answer["color"])
            assert all(len(seen) == 1 for seen in colours.values())
            gold.append({name for name, seen in colours.items() if seen == {"gold"}})
    assert gold[0] < gold[1]
    assert 0 < len(gold[0]) < 30


def test_the_other_colour_is_recorded_beside_the_answer(served: tuple[Any, Endpoint]) -> None:
    world, endpoint = served
    split = world.split(gold="v3", mode="shadow")
    assert Board(Path(endpoint.board)).wait_applied(split.revision)
    reader = DecisionReader(world.workspace.decisions)
    bundles = {name: load_bundle(world.registry, f"parcels:{name}") for name in ("v1", "v3")}
    answer = httpx.post(f"{endpoint.url}/v1/predict", json=world.parcel(4), timeout=60).json()
    record = reader.get(answer["id"])
    assert record is not None
    assert (record.version, record.color, record.error) == ("v1", "blue", "")
    assert record.other is not None
    assert (record.other.color, record.other.version) == ("gold", "v3")
    assert record.score == bundles["v1"].predictor.score_row(record.matrix_row())
    assert record.other.score == bundles["v3"].predictor.score_row(record.matrix_row())


def test_a_gold_that_cannot_be_loaded_never_hurts_blue(served: tuple[Any, Endpoint]) -> None:
    world, endpoint = served
    digest = world.registry.versions.get("parcels:v4").artefacts["model.json"]
    path = world.workspace.objects / digest[:2] / digest
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"1.0", b"9.0"))
    reader = DecisionReader(world.workspace.decisions)
    positions = reader.end()
    split = world.split(gold="v4", gold_share=0.5, mode="canary")
    assert Board(Path(endpoint.board)).wait_applied(split.revision)
    with httpx.Client(base_url=endpoint.url, timeout=60) as http:
        answers = [http.post("/v1/predict", json=world.parcel(number)) for number in range(40)]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["color"] for answer in answers} == {"blue"}
    records = [one for one in reader.tail(positions)[0] if isinstance(one, DecisionRecord)]
    assert {one.routed for one in records} == {"blue", "gold"}
    assert all("cannot be loaded" in one.error for one in records)


def test_a_blue_that_cannot_be_loaded_leaves_the_last_good_one(served: tuple[Any, Endpoint]) -> None:
    world, endpoint = served
    digest = world.registry.versions.get("parcels:v5").artefacts["model.json"]
    path = world.workspace.objects / digest[:2] / digest
    path.chmod(0o600)
    path.write_bytes(b"{}")
    split = world.split(blue="v5")
    assert not Board(Path(endpoint.board)).wait_applied(split.revision, 0.5)
    answer = httpx.post(f"{endpoint.url}/v1/predict", json=world.parcel(1), timeout=60)
    assert (answer.status_code, answer.json()["version"]) == (200, "v1")
    health = httpx.get(f"{endpoint.url}/v1/health", timeout=60).json()
    assert (health["status"], health["mode"], health["applied"]) == ("degraded", "degraded", False)
    world.split(blue="v1")
    deadline = time.monotonic() + 60
    while httpx.get(f"{endpoint.url}/v1/health", timeout=60).json()["status"] != "ok":
        assert time.monotonic() < deadline


def test_safety_is_one_step_and_reaches_every_worker(served: tuple[Any, Endpoint]) -> None:
    world, endpoint = served
    board = Board(Path(endpoint.board))
    for stage in ("Staging", "Canary"):
        world.registry.lifecycle.transition("parcels:v3", stage, reason="test")
    assert board.wait_applied(world.split(gold="v3", gold_share=1.0, mode="shift").revision)
    assert httpx.post(f"{endpoint.url}/v1/predict", json=world.parcel(1), timeout=60).json()["version"] == "v3"
    safety = to_safety(world.registry, "parcels", reason="test", board=board)
    assert safety.seconds is not None
    assert httpx.post(f"{endpoint.url}/v1/predict", json=world.parcel(1), timeout=60).json()["version"] == "v1"


def test_known_answers_reach_every_worker_in_rehearsal(served: tuple[Any, Endpoint]) -> None:
    world, endpoint = served
    split = world.split(gold="v2", mode="rehearsal")
    assert Board(Path(endpoint.board)).wait_applied(split.revision)
    token = canary_token(world.workspace.keys)
    records = load_bundle(world.registry, "parcels:v2").canaries
    report = ask(endpoint, token, records, "gold")
    assert report.ok
    assert report.workers == (0, 1)
    assert report.asked == 2 * len(records)
    assert httpx.post(f"{endpoint.url}/v1/predict", json=world.parcel(1), timeout=60).json()["version"] == "v1"
    wrong = load_bundle(world.registry, "parcels:v3").canaries
    assert not ask(endpoint, token, wrong, "gold").ok


@pytest.mark.parametrize("version", ["v2"])
def test_a_pinned_worker_serves_one_version_apart(world: Any, version: str) -> None:
    world.promote("v1")
    with pinned(world.workspace, f"parcels:{version}") as endpoint:
        answer = httpx.post(f"{endpoint.url}/v1/predict", json=world.parcel(1), timeout=60).json()
        assert answer["version"] == version
    assert list(DecisionReader(world.workspace.decisions).records()) == []
    assert list(world.workspace.run.glob("pinned-*")) == []
