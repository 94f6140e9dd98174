"""The object store names every changed byte and never keeps half an object."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bluegold.core.errors import IntegrityError, StoreError
from bluegold.stores.object_files import ObjectFiles


@pytest.fixture
def store(tmp_path: Path) -> ObjectFiles:
    return ObjectFiles(tmp_path / "objects")


def test_a_flipped_bit_anywhere_is_found(store: ObjectFiles) -> None:
    data = b"forty-two bytes of a model, more or less.."
    digest = store.put(data)
    path = store.path(digest)
    for position in range(len(data)):
        for bit in (0, 7):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            path.write_bytes(changed)
            with pytest.raises(IntegrityError, match=digest):
                store.get(digest)
    path.write_bytes(data)
    assert store.get(digest) == data


def test_a_truncated_object_is_found_and_putting_it_again_heals_it(store: ObjectFiles) -> None:
    digest = store.put(b"whole")
    store.path(digest).write_bytes(b"who")
    with pytest.raises(IntegrityError):
        store.get(digest)
    assert store.put(b"whole") == digest
    assert store.get(digest) == b"whole"


def test_what_a_crash_leaves_behind_is_no_object(store: ObjectFiles) -> None:
    digest = store.put(b"whole")
    (store.path(digest).parent / f".{digest}.tmp").write_bytes(b"ha")
    assert list(store.digests()) == [digest]


def test_a_disk_that_cannot_be_written_is_a_store_error(store: ObjectFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="free some space"):
        store.put(b"too much")
    assert list(store.digests()) == []
    assert [path for path in store.root.rglob("*") if path.is_file()] == []
