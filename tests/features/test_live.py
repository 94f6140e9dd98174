"""Reads that share a turn: one state for all of them, the newest one in the next turn, and the same values."""

from __future__ import annotations

import datetime as dt
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import bluegold as bg
from bluegold.features.online import OnlineStore
from bluegold.features.program import FeatureProgram, fit_program
from bluegold.features.row import RowProgram, microseconds
from bluegold.stores.key_value_lmdb import KeyValueLmdb

START = dt.datetime(2024, 1, 1)


class Event(bg.Contract):
    """Something that happened to an entity."""

    k: str = bg.text()
    v: float = bg.number()
    t: dt.datetime = bg.time()


class Turns:
    """Stands for the event loop: what is to be called when the turn is over."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def later(self, call: Callable[[], None]) -> bool:
        self.waiting.append(call)
        return True

    def end(self) -> None:
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call()


@pytest.fixture
def kv(tmp_path: Path) -> Iterator[KeyValueLmdb]:
    store = KeyValueLmdb(tmp_path / "online", durable=False)
    yield store
    store.close()


def counting() -> FeatureProgram:
    system = bg.System("events", contract=Event, target=pl.col("y") > 0, time="t")
    system.history("count", pl.col("v").count(), by="k", window="1h")
    schema = {"k": pl.String, "v": pl.Float64, "t": pl.Datetime("us")}
    return fit_program(system, pl.DataFrame([{"k": "a", "v": 1.0, "t": START}], schema=schema), {})


def event(k: str, minute: int) -> dict[str, Any]:
    return {"k": k, "v": 1.0, "t": START + dt.timedelta(minutes=minute)}


@pytest.mark.parametrize("seed", range(4))
def test_shared_reads_equal_counting_by_hand(kv: KeyValueLmdb, seed: int) -> None:
    draw, found, turns = random.Random(seed), counting(), Turns()
    store, known = OnlineStore(kv, found), dict[str, dict[str, Any]]()
    reader, (spec,) = store.reader(turns.later), found.histories
    for turn in range(30):
        if draw.random() < 0.7:  # else the state is the one of the turn before
            around = turn * 10 if draw.random() < 0.8 else draw.randrange(400)  # mostly in order, some late
            new = {
                f"{turn} {number}" if draw.random() < 0.8 else "again": event(
                    draw.choice("abc"), around + draw.randrange(20)
                )
                for number in range(draw.randrange(1, 12))
            }
            new = {name: known.get(name, row) for name, row in new.items()}
            store.observe_many((row, name) for name, row in new.items())
            known |= new
        for _ in range(25):
            k, at = draw.choice("abcd"), START + dt.timedelta(minutes=draw.randrange(450))
            wanted = sum(one["k"] == k and at - dt.timedelta(hours=1) <= one["t"] < at for one in known.values())
            assert reader.history(spec, (k,), microseconds(at)) == wanted
        turns.end()


def test_a_turn_sees_one_state_and_the_next_one_the_newest(kv: KeyValueLmdb) -> None:
    found, turns = counting(), Turns()
    store, (spec,) = OnlineStore(kv, found), found.histories
    reader, at = store.reader(turns.later), microseconds(START) + 60_000_000
    seen: list[Any] = []

    def look() -> None:
        seen.append(reader.history(spec, ("a",), at))

    look()
    store.observe(event("a", 0), "first")
    look()
    elsewhere = threading.Thread(target=look)  # no part of this turn
    elsewhere.start()
    elsewhere.join()
    turns.end()
    look()
    assert seen == [0, 0, 1, 1]


def test_a_turn_that_ended_leaves_nothing_open(kv: KeyValueLmdb) -> None:
    found, turns = counting(), Turns()
    store, (spec,) = OnlineStore(kv, found), found.histories
    reader = store.reader(turns.later)
    for _ in range(600):  # more than the store allows readers
        reader.history(spec, ("a",), 0)
        turns.end()
    assert not turns.waiting
    assert reader.view() is reader.view()
    first = reader.view()
    turns.end()
    assert reader.view() is not first
    turns.end()


def test_looked_up_rows_are_the_same_in_a_shared_turn(
    kv: KeyValueLmdb, fitted: tuple[FeatureProgram, pl.DataFrame, dict[str, Any]]
) -> None:
    found, clean, tables = fitted
    store, turns, row = OnlineStore(kv, found), Turns(), RowProgram(found)
    store.materialise(clean, tables)
    shared, alone = store.reader(turns.later), store.reader()
    rows = clean.select(found.contract.names).to_dicts()
    random.Random(1).shuffle(rows)
    for number, values in enumerate(rows):
        assert repr(row.vector(values, shared)) == repr(row.vector(values, alone))
        if number % 50 == 49:
            turns.end()
    turns.end()
