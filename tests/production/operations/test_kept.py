"""A start without registry: the last safe configuration answers, if every byte of it verifies."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from bluegold.core.errors import BluegoldError, IntegrityError
from bluegold.production.kept import Kept, served
from bluegold.production.loading import Loader
from bluegold.production.operations.sentinel import account
from bluegold.production.operations.supervisor import Supervisor, running, stop
from bluegold.stores.key_value_lmdb import KeyValueLmdb

MODEL = "parcels"


def moved(database: Path) -> Path:
    """The registry, taken away."""
    kept = database.with_name("away.db")
    database.rename(kept)
    for suffix in ("-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    return kept


def until(http: httpx.Client, status: str) -> Any:
    deadline = time.monotonic() + 90
    while (health := http.get("/v1/health").json())["status"] != status:
        assert time.monotonic() < deadline, health
        time.sleep(0.05)
    return health


def test_up_without_registry_serves_what_answered_last_and_goes_on_when_it_is_back(world: Any) -> None:
    space = world.workspace
    world.promote("v1")
    for stage in ("Staging", "Canary"):
        world.registry.lifecycle.transition("parcels:v2", stage, reason="test")
    with (
        Supervisor(space, MODEL, 0, 1, "127.0.0.1", "--alone") as endpoint,
        httpx.Client(base_url=endpoint.url, timeout=60) as http,
    ):
        world.split(gold="parcels:v2", mode="canary", gold_share=1.0)
        deadline = time.monotonic() + 60
        while http.post("/v1/predict", json=world.parcel(1), timeout=60).json()["color"] != "gold":
            assert time.monotonic() < deadline
    world.registry.close()
    away = moved(space.database)

    command = [sys.executable, "-m", "bluegold", "up", "--workspace", str(space.root), "--port", "0", "--workers", "1"]
    with subprocess.Popen([*command, "--console", "-1"], stderr=subprocess.PIPE, text=True) as up:
        try:
            said = up.stderr.readline() if up.stderr else ""
            assert "answers at" in said
            url = said.split()[-1].removesuffix("/v1/predict")
            with httpx.Client(base_url=url, timeout=60) as http:
                health = until(http, "degraded")
                assert "the last configuration goes on" in health["problem"]
                assert (health["blue"], health["gold"], health["applied"]) == ("parcels:v1", "", True)
                answers = [http.post("/v1/predict", json=world.parcel(number)) for number in range(20)]
                assert {one.status_code for one in answers} == {200}
                assert {(one.json()["version"], one.json()["color"]) for one in answers} == {("v1", "blue")}
                decision = http.get(f"/v1/decisions/{answers[0].json()['id']}").json()
                assert decision["score"] == answers[0].json()["score"]
                assert http.get("/v1/rollout").status_code == 503
                assert not space.database.exists(), "a missing registry is not replaced by an empty one"
                deadline = time.monotonic() + 90
                while (found := account(space)) is None or not found.rounds:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
                assert found.failed == 0, "the sentinel expects what was kept"

                away.rename(space.database)
                health = until(http, "ok")
                assert (health["gold"], health["mode"]) == ("parcels:v2", "monitoring")
                deadline = time.monotonic() + 60
                while http.post("/v1/predict", json=world.parcel(1)).json()["color"] != "gold":
                    assert time.monotonic() < deadline
        finally:
            stop(served(space.root))
    assert running(space) is None


@pytest.mark.parametrize("harm", ["split", "model", "version", "nothing kept"])
def test_what_was_changed_is_not_served(world: Any, harm: str) -> None:
    online = KeyValueLmdb(world.workspace.online, durable=False)
    kept = Kept(world.workspace, MODEL)
    loader = Loader(world.registry, online, kept)
    split = world.promote("v1")
    with pytest.raises(BluegoldError):
        loader.safe()
    blue = loader.lanes(split).blue
    loader.note(split)
    folder = world.workspace.run / "kept"
    again = Loader(world.registry, online, Kept(world.workspace, MODEL)).safe()
    assert again is not None
    assert again.split == split
    sample = blue.prepare(blue.program.decode(json.dumps(world.parcel(3)).encode())[0])
    assert again.blue.score(sample)[:2] == blue.score(sample)[:2]

    note, copy = folder / f"{MODEL}.json", folder / f"{MODEL}@v1.version"
    if harm == "split":
        note.write_bytes(note.read_bytes().replace(b"parcels:v1", b"parcels:v2"))
    elif harm == "model":
        copy.write_bytes(copy.read_bytes().replace(b"0.4", b"0.5", 1))
    elif harm == "version":
        copy.write_bytes(copy.read_bytes().replace(b"environment\xa1e", b"environment\xa1f", 1))
    else:
        copy.unlink()
    with pytest.raises(BluegoldError) as refused:
        Loader(world.registry, online, Kept(world.workspace, MODEL)).safe()
    assert isinstance(refused.value, IntegrityError) is (harm != "nothing kept")
    online.close()
