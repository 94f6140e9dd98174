"""The key-value store against a sorted list, and shared by processes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bluegold.stores.key_value_lmdb import KeyValueLmdb

keys = st.binary(min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(
    content=st.dictionaries(keys, st.binary(max_size=4), max_size=30),
    prefix=st.binary(max_size=2),
    start=st.none() | keys,
    end=st.none() | keys,
    limit=st.none() | st.integers(0, 5),
    probe=keys,
)
def test_scan_and_floor_are_those_of_a_sorted_list(
    content: dict[bytes, bytes], prefix: bytes, start: bytes | None, end: bytes | None, limit: int | None, probe: bytes
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = KeyValueLmdb(Path(folder), durable=False)
        with store.batch() as batch:
            for key, value in content.items():
                batch.put(key, value)
        ordered = sorted(content.items())
        wanted = [
            pair
            for pair in ordered
            if pair[0].startswith(prefix) and (start is None or pair[0] >= start) and (end is None or pair[0] < end)
        ]
        assert list(store.scan(prefix, start=start, end=end, limit=limit)) == wanted[:limit]
        below = [pair for pair in ordered if pair[0] <= probe]
        floor = below[-1] if below and below[-1][0].startswith(prefix) else None
        assert store.floor(probe, prefix) == floor
        store.close()


ADD = """
import sys
from pathlib import Path
from bluegold.stores.key_value_lmdb import KeyValueLmdb
store = KeyValueLmdb(Path(sys.argv[1]), durable=False)
for _ in range(300):
    with store.batch() as batch:
        batch.put(b"count", b"%d" % (int(batch.get(b"count") or b"0") + 1))
"""


def test_read_modify_write_of_several_processes_loses_nothing(tmp_path: Path) -> None:
    children = [subprocess.Popen([sys.executable, "-c", ADD, str(tmp_path)]) for _ in range(3)]
    assert [child.wait(timeout=60) for child in children] == [0, 0, 0]
    store = KeyValueLmdb(tmp_path)
    assert store.get(b"count") == b"900"
    store.close()


def test_a_killed_writer_leaves_the_store_usable_and_undoes_its_batch(tmp_path: Path) -> None:
    script = ADD.partition("for _")[0] + (
        "store.put(b'kept', b'1')\nwith store.batch() as batch:\n    batch.put(b'lost', b'1')\n"
        "    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == -9
    store = KeyValueLmdb(tmp_path)
    assert store.get(b"kept") == b"1"
    assert store.get(b"lost") is None
    store.put(b"next", b"1")
    store.close()


def test_a_copy_holds_what_was_there_and_goes_its_own_way() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = KeyValueLmdb(Path(folder) / "a")
        store.put(b"k", b"before")
        store.copy(Path(folder) / "b")
        store.put(b"k", b"after")
        copy = KeyValueLmdb(Path(folder) / "b")
        assert copy.get(b"k") == b"before"
        copy.put(b"new", b"1")
        assert store.get(b"new") is None
        copy.close()
        store.close()
