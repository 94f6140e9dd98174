"""A snapshot reads one state, whatever is written meanwhile, and finds what the single reads find."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bluegold.core.errors import StoreError
from bluegold.stores.key_value_lmdb import KeyValueLmdb


def test_one_state_and_the_same_answers(tmp_path: Path) -> None:
    store = KeyValueLmdb(tmp_path / "kv", durable=False)
    draw = random.Random(1)
    with store.batch() as batch:
        for _ in range(200):
            batch.put(draw.randbytes(draw.randint(1, 3)), b"v")
    keys = [draw.randbytes(draw.randint(1, 3)) for _ in range(300)] + [b"\x00", b"\xff\xff\xff\xff"]
    with store.snapshot() as state:
        assert [state.floor(key) for key in keys] == [store.floor(key) for key in keys]
        assert [state.floor(key, key[:1]) for key in keys] == [store.floor(key, key[:1]) for key in keys]
        assert state.between(b"\x10", b"\x80") == list(store.scan(start=b"\x10", end=b"\x80"))
        assert state.between(b"\xff\xff\xff\xff", b"\xff\xff\xff\xff\xff") == []
        assert state.between(b"\x10", b"\x80", 5) == list(store.scan(start=b"\x10", end=b"\x80", limit=5))
        store.put(b"new", b"1")
        assert state.get(b"new") is None
    with store.snapshot() as state:
        assert state.get(b"new") == b"1"
    store.close()


def test_a_closed_store_gives_no_snapshot(tmp_path: Path) -> None:
    store = KeyValueLmdb(tmp_path / "kv", durable=False)
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.snapshot()


def test_what_the_library_raises_in_a_snapshot_is_said_in_our_words(tmp_path: Path) -> None:
    store = KeyValueLmdb(tmp_path / "kv", durable=False)
    store.put(b"key", b"1")
    with store.snapshot() as state:
        assert state.get(b"key") == b"1"
        store.close()  # under the reader's feet
        for read in (
            lambda: state.get(b"key"),
            lambda: state.floor(b"key"),
            lambda: state.around(b"key"),
            lambda: state.between(b"a", b"z"),
            state.version,
        ):
            with pytest.raises(StoreError, match="failed"):
                read()
