"""Breakers and bulkheads: what fails is left alone, and costs nothing but itself."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx
import pytest

from bluegold.core.errors import StoreError
from bluegold.production.loading import Loader
from bluegold.production.operations.breaker import Breaker, LastKnown
from bluegold.production.operations.supervisor import Supervisor
from bluegold.stores.key_value_lmdb import KeyValueLmdb


def test_an_open_breaker_lets_one_attempt_through_and_closes_after_a_success() -> None:
    breaker = Breaker("a store", failures=2, open_s=0.2)
    breaker.failed()
    breaker.succeeded()  # in a row means in a row
    breaker.failed()
    assert breaker.state == "closed"
    breaker.failed()
    assert (breaker.state, breaker.allows()) == ("open", False)
    time.sleep(0.25)
    assert [breaker.allows(), breaker.allows(), breaker.state] == [True, False, "half-open"]
    breaker.failed()
    assert not breaker.allows()
    time.sleep(0.45)  # after a failed attempt it waits twice as long
    assert breaker.allows()
    breaker.succeeded(seconds=breaker.slow_s * 2)
    assert breaker.state == "open", "slow is no success"
    time.sleep(0.85)
    assert breaker.allows()
    breaker.succeeded()
    assert (breaker.state, breaker.allows()) == ("closed", True)


def test_a_slow_read_gives_the_last_value_and_is_waited_for_once() -> None:
    gate, reads = threading.Event(), []

    def read() -> int:
        reads.append(1)
        if len(reads) == 2:
            gate.wait(120)
        return len(reads)

    known = LastKnown(read, 0, Breaker("a store", failures=1, open_s=60.0), limit=0.05)
    assert known.get() == (1, "")
    began = time.monotonic()
    found = [known.get() for _ in range(1000)]
    assert time.monotonic() - began < 30.0, "a thousand times the limit would be 50 s"
    assert found == [(1, "no answer within 0.05 s")] * 1000
    assert len(reads) == 2
    gate.set()
    time.sleep(0.05)
    assert known.get() == (2, "")
    known.close()


def test_features_that_cannot_be_read_are_flagged_and_last_known(world: Any) -> None:
    online = KeyValueLmdb(world.workspace.online, durable=False)
    lane = Loader(world.registry, online).lanes(world.promote("v1")).blue
    [row] = lane.program.decode(httpx.Request("POST", "http://a", json=world.parcel(60)).content)
    lane.store.observe(lane.prepare(row).values, "an event")
    [later] = lane.program.decode(httpx.Request("POST", "http://a", json=world.parcel(120)).content)
    fresh = lane.prepare(later)
    assert fresh.flags == ()
    assert fresh.vector[-1] == 20.0
    online.close()
    for _ in range(5):
        stale = lane.prepare(later)
        assert stale.flags == ("depot_weight_1h:stale",)
        assert stale.vector == fresh.vector
    [other] = lane.program.decode(httpx.Request("POST", "http://a", json=world.parcel(61)).content)
    assert lane.prepare(other).flags == ("depot_weight_1h:stale",)


def test_a_store_that_breaks_in_the_middle_of_a_request_is_flagged_and_left_alone(world: Any) -> None:
    online = KeyValueLmdb(world.workspace.online, durable=False)
    loader = Loader(world.registry, online)
    lane = loader.lanes(world.promote("v1")).blue
    [row] = lane.program.decode(httpx.Request("POST", "http://a", json=world.parcel(60)).content)
    values, _ = lane.program.clean(row)
    with lane.online.view() as view:
        online.close()
        assert view.window(lane.program.program.histories[0], (values["depot"],), 0) == (0, 0, 0, 0)
    assert lane.online.stale() == ("depot_weight_1h:stale",)
    for _ in range(2):  # what broke inside of the view was the first of three
        assert loader.breaker.state == "closed"
        assert lane.prepare(row).flags == ("depot_weight_1h:stale",)
    assert loader.breaker.state == "open"


def test_one_spoiled_feature_touches_neither_the_others_nor_the_breaker(world: Any) -> None:
    online = KeyValueLmdb(world.workspace.online, durable=False)
    lane = Loader(world.registry, online).lanes(world.promote("v1")).blue
    [row] = lane.program.decode(httpx.Request("POST", "http://a", json=world.parcel(60)).content)
    lane.store.observe(lane.prepare(row).values, "an event")
    [(key, _)] = online.scan(limit=1)
    online.put(key, b"spoiled")
    [later] = lane.program.decode(httpx.Request("POST", "http://a", json=world.parcel(120)).content)
    for _ in range(5):
        sample = lane.prepare(later)
        assert sample.flags == ("depot_weight_1h:stale",)
        assert sample.vector[0] == 12.0
    with pytest.raises(StoreError):
        online.put(b"", b"")  # the store itself is well, and says what is wrong
    online.close()


@pytest.mark.parametrize("harm", ["replaced", "moved away"])
def test_a_spoiled_registry_costs_neither_answers_nor_the_view_of_health(world: Any, harm: str) -> None:
    world.promote("v1")
    with (
        Supervisor(world.workspace, "parcels", 0, 1, "127.0.0.1", "--alone") as endpoint,
        httpx.Client(base_url=endpoint.url, timeout=60) as http,
    ):
        assert http.get("/v1/health").json()["status"] == "ok"
        world.registry.close()
        database = world.workspace.database
        kept = database.with_name("kept.db")
        database.rename(kept)  # another file: into the old one, open connections could yet write their log
        if harm == "replaced":
            database.write_bytes(b"\0" * 8192)
        for suffix in ("-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        deadline = time.monotonic() + 60
        while (health := http.get("/v1/health").json())["status"] != "degraded":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        answers = [http.post("/v1/predict", json=world.parcel(number)).status_code for number in range(20)]
        assert set(answers) == {200}
        assert health["blue"] == "parcels:v1"
        while "the last configuration goes on" not in http.get("/v1/health").json()["problem"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        if harm == "replaced":
            return
        assert not database.exists()  # a missing registry is not replaced by an empty one
        kept.rename(database)
        while http.get("/v1/health").json()["status"] != "ok":
            assert time.monotonic() < deadline
            time.sleep(0.02)
