"""Online features on a server that the plan names: the same values, shared, and a circuit around it."""

from __future__ import annotations

import datetime as dt
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import polars as pl
import pytest

import bluegold as bg
from bluegold.core.errors import DefinitionError
from bluegold.core.nouns import Lineage
from bluegold.core.plan_file import read_plan
from bluegold.features.online import OnlineStore
from bluegold.features.program import FeatureProgram, fit_program
from bluegold.production.loading import Loader
from bluegold.stores import key_value_redis
from bluegold.stores.key_value_lmdb import KeyValueLmdb
from bluegold.stores.key_value_redis import KeyValueRedis

NOON = dt.datetime(2024, 5, 1, 12)


def program() -> FeatureProgram:
    class Parcel(bg.Contract):
        depot: str = bg.category("north", "south")
        weight: float = bg.number()
        handed_in: dt.datetime = bg.time()

    system = bg.System("parcels", contract=Parcel, target=pl.col("late") > 0, time="handed_in")
    for name, window in (("hour", "1h"), ("day", "1d")):
        system.history(f"mean_{name}", pl.col("weight").mean(), by="depot", window=window)
        system.history(f"max_{name}", pl.col("weight").max(), by="depot", window=window)
    system.lookup("stock", by="depot", at="known_at", columns=("pallets",))
    rows = pl.DataFrame({"depot": ["north", "south"], "weight": [1.0, 2.0], "handed_in": [NOON, NOON]})
    return fit_program(system, rows, tables())


def tables() -> dict[str, pl.DataFrame]:
    at = [NOON - dt.timedelta(hours=hour) for hour in (9, 5, 2)]
    return {"stock": pl.DataFrame({"depot": ["north", "south", "north"], "known_at": at, "pallets": [1.0, 2.0, 3.0]})}


def parcel(draw: random.Random, number: int) -> dict[str, Any]:
    moment = NOON + dt.timedelta(minutes=10 * number - draw.randint(0, 90))  # some come late
    return {"depot": draw.choice(["north", "south"]), "weight": draw.random() * 9, "handed_in": moment}


def test_windows_and_lookups_are_those_of_the_embedded_store(valkey: Any, tmp_path: Path) -> None:
    made, draw = program(), random.Random(5)
    past = pl.DataFrame([parcel(draw, number - 30) for number in range(30)]).sort("handed_in")
    here = OnlineStore(KeyValueLmdb(tmp_path / "kv", durable=False), made)
    there = OnlineStore(KeyValueRedis(f"{valkey.url}?name={uuid4().hex}"), made)
    for store in (here, there):
        store.materialise(past, tables())
    for number in range(25):
        row = parcel(draw, number)
        found = [_read(store, made, row) for store in (here, there)]
        assert found[0] == found[1]
        for store in (here, there):
            store.observe(row, f"request {number}")
            store.observe(row, f"request {number}")  # again: changes nothing


def _read(store: OnlineStore, made: FeatureProgram, row: dict[str, Any]) -> list[Any]:
    at = round((row["handed_in"] - dt.datetime(1970, 1, 1)) / dt.timedelta(microseconds=1))
    with store.reader().view() as view:
        windows = [view.window(spec, (row["depot"],), at) for spec in made.histories]
        return [*windows, *(view.lookup(spec, (row["depot"],), at) for spec in made.lookups)]


def test_a_version_reads_where_its_plan_says_and_survives_the_servers_death(
    world: Any, valkey_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_value_redis, "READ_S", 30.0)  # a busy machine is no dead server
    with tempfile.TemporaryDirectory(prefix="bgv") as folder:
        server = valkey_server(Path(folder))
        ref = _with_plan(world, server.url)
        own = KeyValueLmdb(world.workspace.online, durable=False)
        loader = Loader(world.registry, own)
        loader.breaker.slow_s = 30.0
        lane = loader.lane(ref)
        body = msgspec.json.encode(world.parcel(600))
        [row] = lane.program.decode(body)
        before = lane.prepare(row)
        lane.store.observe({**before.values, "handed_in": NOON}, "one")
        fresh = lane.prepare(row)
        assert fresh.vector != before.vector, "the event was not seen"
        assert fresh.flags == ()
        assert not list(own.scan(limit=1)), "the workspace's own store was used"
        server.kill()
        for _ in range(4):
            stale = lane.prepare(row)
            assert stale.vector == fresh.vector, "the last known value"
            assert stale.flags == ("depot_weight_1h:stale",)
        assert loader.breaker.state == "open"
        server.start()
        until = time.monotonic() + 60
        while loader.breaker.state != "closed":
            assert time.monotonic() < until, "the circuit stays open"
            lane.prepare(row)
            time.sleep(0.05)
        again = lane.prepare(row)
        assert (again.flags, again.vector) == ((), before.vector), "the new server knows nothing yet"
        own.close()
        server.kill()


def _with_plan(world: Any, url: str) -> str:
    known = world.registry.versions.get("parcels:v1")
    files = {name: world.registry.versions.artefact(known.ref, name) for name in known.artefacts}
    files["plan.json"] = msgspec.json.encode({"system": "parcels", "stores": {"online": url}})
    lineage = Lineage(code="c", data="d", features="f", parameters={}, environment="e", seeds={})
    made: str = world.registry.versions.register("parcels", files, lineage, {}, author="ada").ref
    return made


def test_a_plan_with_a_password_is_refused(tmp_path: Path) -> None:
    plan = tmp_path / "architecture.yaml"
    plan.write_text("system: parcels\nstores:\n  online: redis://ann@cache:6379/0\n")
    assert read_plan(plan).stores.online == "redis://ann@cache:6379/0"
    plan.write_text("system: parcels\nstores:\n  online: redis://ann:open-sesame@cache:6379/0\n")
    with pytest.raises(DefinitionError, match="holds a password") as refused:
        read_plan(plan)
    assert "open-sesame" not in str(refused.value)
