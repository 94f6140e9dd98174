"""The key-value store on a real server: the laws of the embedded one, across processes, and silent about secrets."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegold.core.errors import StoreError, UsageError
from bluegold.core.workspace import Workspace
from bluegold.stores import connect, key_value_redis
from bluegold.stores.key_value_redis import KeyValueRedis
from bluegold.stores.protocols import KeyValueStore

keys = st.binary(min_size=1, max_size=3)
steps = st.lists(st.tuples(st.sampled_from(["put", "delete", "floor", "get"]), keys), max_size=25)


@pytest.fixture
def store(valkey: Any) -> Iterator[KeyValueRedis]:
    opened = KeyValueRedis(fresh(valkey))
    yield opened
    opened.close()


def fresh(valkey: Any) -> str:
    return f"{valkey.url}?name={uuid4().hex}"


def floor(content: dict[bytes, bytes], probe: bytes, prefix: bytes = b"") -> tuple[bytes, bytes] | None:
    below = [pair for pair in sorted(content.items()) if pair[0] <= probe]
    return below[-1] if below and below[-1][0].startswith(prefix) else None


def test_it_follows_the_protocol(store: KeyValueRedis, valkey: Any, tmp_path: Path) -> None:
    assert isinstance(store, KeyValueStore)
    store.ping()
    other = connect(valkey.url, "key_value", Workspace(tmp_path))
    assert isinstance(other, KeyValueRedis)
    other.close()
    other.close()
    with pytest.raises(StoreError, match="is closed"):
        other.get(b"k")
    with pytest.raises(StoreError, match="is closed"):
        other.snapshot()


@settings(max_examples=30, deadline=None)
@given(
    content=st.dictionaries(keys, st.binary(max_size=4), max_size=20),
    prefix=st.binary(max_size=2),
    start=st.none() | keys,
    end=st.none() | keys,
    limit=st.none() | st.integers(0, 5),
    probe=keys,
)
def test_scan_and_floor_are_those_of_a_sorted_list(
    valkey: Any,
    content: dict[bytes, bytes],
    prefix: bytes,
    start: bytes | None,
    end: bytes | None,
    limit: int | None,
    probe: bytes,
) -> None:
    store = KeyValueRedis(fresh(valkey))
    with store.batch() as batch:
        for key, value in content.items():
            batch.put(key, value)
    wanted = [
        pair
        for pair in sorted(content.items())
        if pair[0].startswith(prefix) and (start is None or pair[0] >= start) and (end is None or pair[0] < end)
    ]
    assert list(store.scan(prefix, start=start, end=end, limit=limit)) == wanted[:limit]
    assert store.floor(probe, prefix) == floor(content, probe, prefix)
    store.close()


@settings(max_examples=30, deadline=None)
@given(before=steps, inside=steps, probes=st.lists(keys, min_size=1, max_size=5))
def test_a_batch_sees_itself_and_a_snapshot_sees_what_was(
    valkey: Any, before: list[tuple[str, bytes]], inside: list[tuple[str, bytes]], probes: list[bytes]
) -> None:
    store, content = KeyValueRedis(fresh(valkey)), dict[bytes, bytes]()
    act(store, content, before)
    was = dict(content)
    with store.snapshot() as state:
        state.get(b"opened")
        act(store, content, inside)
        assert [state.floor(probe) for probe in probes] == [floor(was, probe) for probe in probes]
        assert [state.get(probe) for probe in probes] == [was.get(probe) for probe in probes]
        assert state.between(b"\x00", b"\xff\xff\xff\xff") == sorted(was.items())
        low, high = min(probes), max(probes)
        assert state.between(low, high) == [pair for pair in sorted(was.items()) if low <= pair[0] < high]
    assert list(store.scan()) == sorted(content.items())
    store.close()


def act(store: KeyValueRedis, content: dict[bytes, bytes], steps: list[tuple[str, bytes]]) -> None:
    """The same steps in one batch and on a dictionary; what is read on the way has to agree."""
    with store.batch() as batch:
        for number, (step, key) in enumerate(steps):
            if step == "put":
                content[key] = b"%d" % number
                batch.put(key, b"%d" % number)
            elif step == "delete":
                assert batch.delete(key) == (content.pop(key, None) is not None)
            elif step == "floor":
                assert batch.floor(key, key[:1]) == floor(content, key, key[:1])
            else:
                assert batch.get(key) == content.get(key)


def test_a_failed_batch_leaves_nothing_and_gives_its_turn_back(store: KeyValueRedis) -> None:
    def interrupted() -> None:
        with store.batch() as batch:
            batch.put(b"a", b"1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert store.get(b"a") is None
    store.put(b"a", b"2")
    for key in (b"", b"x" * 512):
        with pytest.raises(StoreError, match="1 to 511 bytes"):
            store.put(key, b"v")
    assert store.get(b"a") == b"2"


def test_a_snapshot_that_is_too_old_says_so(store: KeyValueRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_value_redis, "REMEMBERED", 10)
    store.put(b"a", b"1")
    with store.snapshot() as state:
        assert state.get(b"a") == b"1"
        for number in range(30):
            store.put(b"a", b"%d" % number)
        with pytest.raises(StoreError, match="too old"):
            state.get(b"a")
    with store.snapshot() as state:
        assert state.get(b"a") == b"29"


ADD = """
import sys
from bluegold.stores.key_value_redis import KeyValueRedis
store = KeyValueRedis(sys.argv[1])
for _ in range(100):
    with store.batch() as batch:
        batch.put(b"count", b"%d" % (int(batch.get(b"count") or b"0") + 1))
"""


def test_read_modify_write_of_several_processes_loses_nothing(valkey: Any) -> None:
    url = fresh(valkey)
    children = [subprocess.Popen([sys.executable, "-c", ADD, url]) for _ in range(3)]
    assert [child.wait(timeout=120) for child in children] == [0, 0, 0]
    assert KeyValueRedis(url).get(b"count") == b"300"


def test_a_killed_writer_undoes_its_batch_and_others_go_on(valkey: Any) -> None:
    url = fresh(valkey)
    script = ADD.partition("for _")[0].replace(
        "store =", "import bluegold.stores.key_value_redis as m; m.LOCK_MS = 500\nstore ="
    )
    script += (
        "store.put(b'kept', b'1')\nwith store.batch() as batch:\n    batch.put(b'lost', b'1')\n"
        "    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, url], check=False)
    assert done.returncode == -signal.SIGKILL
    store = KeyValueRedis(url)
    store.put(b"next", b"1")
    assert [store.get(key) for key in (b"kept", b"lost", b"next")] == [b"1", None, b"1"]


def test_a_writer_whose_turn_is_over_changes_nothing(valkey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    url = fresh(valkey)
    slow, quick = KeyValueRedis(url), KeyValueRedis(url)

    def overtaken() -> None:
        with slow.batch() as batch:
            batch.put(b"k", b"slow")
            slow._writer.delete(slow._keys[5])  # as if its time had run out
            quick.put(b"k", b"quick")

    with pytest.raises(StoreError, match="turn to write is over"):
        overtaken()
    assert quick.get(b"k") == b"quick"


def test_what_happens_to_the_embedded_store_happens_here(store: KeyValueRedis, tmp_path: Path) -> None:
    from bluegold.stores.key_value_lmdb import KeyValueLmdb

    draw, beside = random.Random(3), KeyValueLmdb(tmp_path / "kv", durable=False)
    for _ in range(15):
        with store.batch() as one, beside.batch() as two:
            for _ in range(20):
                key = draw.randbytes(draw.randint(1, 2))
                if draw.random() < 0.7:
                    one.put(key, key)
                    two.put(key, key)
                else:
                    assert one.delete(key) == two.delete(key)
        assert list(store.scan()) == list(beside.scan())
    beside.close()


def test_nobody_is_told_the_password(valkey_server: Callable[..., Any]) -> None:
    with tempfile.TemporaryDirectory(prefix="bgv") as folder:
        server = valkey_server(Path(folder), "--requirepass", "open-sesame")
        right = server.url.replace("unix://", "unix://:open-sesame@")
        store = KeyValueRedis(right)
        store.put(b"k", b"v")
        assert store.get(b"k") == b"v"
        wrong = KeyValueRedis(server.url.replace("unix://", "unix://:open-barley@"))
        with pytest.raises(StoreError) as refused:
            wrong.get(b"k")
        assert "open-barley" not in said(refused.value)
        server.kill()
        with pytest.raises(StoreError) as gone:
            store.get(b"k")
        assert "open-sesame" not in said(gone.value)
        assert "open-sesame" not in repr(vars(store)["address"])
    unreadable = "redis://ann:open-" + "sesame@host:port/0"
    with pytest.raises(UsageError) as unread:
        KeyValueRedis(unreadable)
    assert "open-sesame" not in said(unread.value)


def said(error: BaseException) -> str:
    """Everything that a log would show of an error."""
    import traceback

    return "".join(traceback.format_exception(error))
