"""The online store: late events, repeats, several processes and shared versions."""

from __future__ import annotations

import datetime as dt
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import bluegold as bg
from bluegold.features.online import OnlineStore
from bluegold.features.program import FeatureProgram, fit_program
from bluegold.features.row import RowProgram
from bluegold.stores.key_value_lmdb import KeyValueLmdb

START = dt.datetime(2024, 1, 1)


class Event(bg.Contract):
    """Something that happened to an entity."""

    k: str = bg.text()
    v: float = bg.number()
    t: dt.datetime = bg.time()


def program() -> FeatureProgram:
    system = bg.System("events", contract=Event, target=pl.col("y") > 0, time="t")
    system.history("mean", pl.col("v").mean(), by="k", window="1h")
    system.history("count", pl.col("v").count(), by="k", window="1h")
    system.history("top", pl.col("v").max(), by="k", window="3h")
    return fit_program(system, frame(events(50, 1)), {})


def events(count: int, seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    return [
        {
            "k": draw.choice("ab"),
            "v": draw.choice([0.1, 2.5, -7.0]),
            "t": START + dt.timedelta(minutes=draw.randrange(600)),
        }
        for _ in range(count)
    ]


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"k": pl.String, "v": pl.Float64, "t": pl.Datetime("us")})


@pytest.fixture
def kv(tmp_path: Path) -> Iterator[KeyValueLmdb]:
    store = KeyValueLmdb(tmp_path / "online", durable=False)
    yield store
    store.close()


def assert_equals_batch(kv: KeyValueLmdb, rows: list[dict[str, Any]]) -> None:
    found = program()
    wanted = found.matrix(found.features(frame(rows), {}))
    row, reader = RowProgram(found), OnlineStore(kv, found).reader()
    online = np.array([row.vector(values, reader) for values in rows])
    assert online.tobytes() == wanted.tobytes()


def test_events_may_arrive_in_any_order(kv: KeyValueLmdb) -> None:
    rows = events(300, 2)
    store = OnlineStore(kv, program())
    for number, values in random.Random(3).sample(list(enumerate(rows)), len(rows)):
        store.observe(values, f"r{number}")
    assert_equals_batch(kv, rows)


def test_the_same_request_counts_once(kv: KeyValueLmdb) -> None:
    rows = events(60, 4)
    store = OnlineStore(kv, program())
    for _ in range(3):
        store.observe_many((values, f"r{number}") for number, values in enumerate(rows))
    assert_equals_batch(kv, rows)


def test_past_and_live_events_add_up_and_the_past_is_stored_once(kv: KeyValueLmdb) -> None:
    rows = events(400, 5)
    store = OnlineStore(kv, program())
    store.observe_many((values, f"r{number}") for number, values in enumerate(rows[300:]))
    for part in (rows[:200], rows[:300], rows[100:300]):  # an extract, a larger one, an overlapping one
        store.materialise(frame(part), {})
    assert_equals_batch(kv, rows)


def test_legitimate_repeats_all_count(kv: KeyValueLmdb) -> None:
    rows = [{"k": "a", "v": 2.5, "t": START}] * 3 + [{"k": "a", "v": 0.0, "t": START + dt.timedelta(minutes=1)}]
    OnlineStore(kv, program()).materialise(frame(rows), {})
    assert_equals_batch(kv, rows)


def test_entities_cannot_reach_into_each_other(kv: KeyValueLmdb) -> None:
    names = ["a", "a\x00", "aa", "", "é", "x" * 199, "y" * 200]
    rows = [
        {"k": name, "v": float(number), "t": START + dt.timedelta(minutes=m)}
        for number, name in enumerate(names)
        for m in range(3)
    ]
    OnlineStore(kv, program()).materialise(frame(rows), {})
    assert_equals_batch(kv, rows)


def _observe(folder: Path, part: int) -> None:
    kv = KeyValueLmdb(folder, durable=False)
    store = OnlineStore(kv, program())
    for number, values in enumerate(events(200, 6)):
        if number % 2 == part:
            store.observe(values, f"r{number}")
    kv.close()


def test_two_processes_write_one_history(tmp_path: Path) -> None:
    folder = tmp_path / "online"
    code = f"import runpy, pathlib; runpy.run_path({__file__!r})['_observe'](pathlib.Path({str(folder)!r}), %d)"
    workers = [subprocess.Popen([sys.executable, "-c", code % part]) for part in (0, 1)]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    kv = KeyValueLmdb(folder, durable=False)
    assert_equals_batch(kv, events(200, 6))
    kv.close()


def test_lookups_know_only_the_past_and_grow_old(kv: KeyValueLmdb) -> None:
    system = bg.System("looked-up", contract=Event, target=pl.col("y") > 0, time="t")
    system.lookup("rates", by="k", at="since", within="2h", columns=("rate",))
    table = pl.DataFrame({"k": ["a", "a"], "since": [START, START + dt.timedelta(hours=1)], "rate": [1.0, 2.0]})
    found = fit_program(system, frame(events(5, 1)), {"rates": table})
    store = OnlineStore(kv, found)
    store.materialise(frame([]), {"rates": table})
    row, reader = RowProgram(found), store.reader()

    def rate(minutes: int, k: str = "a") -> float:
        return row.vector({"k": k, "v": 0.0, "t": START + dt.timedelta(minutes=minutes)}, reader)[0]

    assert [rate(0), rate(59), rate(60), rate(180)] == [1.0, 1.0, 2.0, 2.0]
    assert np.isnan([rate(-1), rate(181), rate(10, "b")]).all()
    assert reader.lookup(found.lookups[0], ("a",), 0) is None


def test_the_request_path_loads_no_data_frame_library() -> None:
    code = (
        "import sys, bluegold.features.row, bluegold.features.online;"
        "print(sorted({'polars', 'pandas', 'sklearn', 'numpy', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
