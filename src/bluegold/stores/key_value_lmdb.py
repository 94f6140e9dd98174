"""Key-value store on LMDB: ordered keys in one memory-mapped file, read by many processes without locks."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb

from bluegold.core.errors import StoreError

__all__ = ["KeyValueLmdb"]

#: Address space reserved for the file; the file itself grows with its content.
MAP_BYTES = 16 * 1024**3
_LONGEST_KEY = 511
_ABOVE_ALL = b"\xff" * (_LONGEST_KEY + 1)

# LMDB allows one open environment per file and process, so stores on one folder share it: (process, folder) ->
# [environment, number of stores].
_open: dict[tuple[int, str], list[Any]] = {}
_open_lock = threading.Lock()


class KeyValueLmdb:
    """Ordered keys (1 to 511 bytes) and values, shared by threads and processes.

    A forked child must open its own store.

    Args:
        root: folder of the database; made when missing.
        durable: whether a write waits for the disk (the first store on a folder in a process decides).
            Without it a crash of the *machine* may lose the last writes or, at worst, the file; a crash of a
            process loses nothing.  Choose it for what can be rebuilt.

    Raises:
        StoreError: the folder cannot be opened, or an operation fails (full, key too long, closed).

    Example:
        >>> import tempfile
        >>> store = KeyValueLmdb(Path(tempfile.mkdtemp()))
        >>> store.put(b"ewr/0900", b"12.5")
        >>> store.floor(b"ewr/0930", prefix=b"ewr/")
        (b'ewr/0900', b'12.5')
        >>> store.close()
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self.root = root
        self._place = (os.getpid(), str(root.resolve()))
        self._closed = False
        try:
            root.mkdir(parents=True, exist_ok=True)
            with _open_lock:
                if self._place not in _open:
                    environment = lmdb.open(
                        str(root), map_size=MAP_BYTES, max_readers=512, metasync=durable, sync=durable, max_dbs=0
                    )
                    _open[self._place] = [environment, 0]
                _open[self._place][1] += 1
                self._env: Any = _open[self._place][0]
        except (lmdb.Error, OSError) as error:
            raise self._error(error) from error

    def get(self, key: bytes) -> bytes | None:
        """The value of ``key``, or None."""
        with self._transaction(write=False) as transaction:
            return _Batch(transaction).get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Set ``key`` in a transaction of its own."""
        with self.batch() as batch:
            batch.put(key, value)

    def delete(self, key: bytes) -> bool:
        """Remove ``key``; whether it was there."""
        with self.batch() as batch:
            return batch.delete(key)

    def scan(
        self,
        prefix: bytes = b"",
        *,
        start: bytes | None = None,
        end: bytes | None = None,
        limit: int | None = None,
    ) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with ``start <= key < end`` that start with ``prefix``, ascending, from one snapshot."""
        low = max(prefix, start or b"")
        left = limit if limit is not None else -1
        with self._transaction(write=False) as transaction, transaction.cursor() as cursor:
            more = cursor.set_range(low) if low else cursor.first()
            while more and left != 0:
                key = bytes(cursor.key())
                if not key.startswith(prefix) or (end is not None and key >= end):
                    return
                yield key, bytes(cursor.value())
                left -= 1
                more = cursor.next()

    def floor(self, key: bytes, prefix: bytes = b"") -> tuple[bytes, bytes] | None:
        """The last pair whose key is not above ``key`` and starts with ``prefix``."""
        with self._transaction(write=False) as transaction:
            return _Batch(transaction).floor(key, prefix)

    def snapshot(self) -> _Snapshot:
        """Several reads of one consistent state, for the request path: about 2 microseconds a look-up."""
        if self._closed:
            raise StoreError(f"key-value store '{self.root}' is closed", way_out="open it again")
        return _Snapshot(self)

    @contextmanager
    def batch(self) -> Iterator[_Batch]:
        """Many reads and writes as one atomic transaction; other writers wait until it ends."""
        with self._transaction(write=True) as transaction:
            yield _Batch(transaction)

    def copy(self, target: Path) -> None:
        """Write one consistent state into another folder, while others go on reading and writing.

        Raises:
            StoreError: the copy cannot be written.
        """
        try:
            target.mkdir(parents=True, exist_ok=True)
            self._env.copy(str(target), compact=True)
        except (lmdb.Error, OSError) as error:
            raise self._error(error) from error

    def ping(self) -> None:
        """Read the state of the file; raises ``StoreError`` when that fails."""
        with self._transaction(write=False) as transaction:
            transaction.stat()

    def close(self) -> None:
        """Close this store; the last one on its folder closes the file."""
        with _open_lock:
            if self._closed:
                return
            self._closed = True
            shared = _open[self._place]
            shared[1] -= 1
            if shared[1] == 0:
                del _open[self._place]
                self._env.close()

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Any]:
        if self._closed:
            raise StoreError(f"key-value store '{self.root}' is closed", way_out="open it again")
        try:
            with self._env.begin(write=write) as transaction:
                yield transaction
        except lmdb.Error as error:
            raise self._error(error) from error

    def _error(self, error: Exception) -> StoreError:
        way_out = "check the folder's owner, rights and free space"
        if isinstance(error, lmdb.MapFullError):
            way_out = f"it reached its limit of {MAP_BYTES >> 30} GiB: remove old keys"
        elif isinstance(error, lmdb.BadValsizeError):
            way_out = f"use keys of 1 to {_LONGEST_KEY} bytes"
        return StoreError(f"key-value store '{self.root}' failed", why=str(error), way_out=way_out)


class _Batch:
    """Reads and writes inside one transaction."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Any) -> None:
        self._transaction = transaction

    def get(self, key: bytes) -> bytes | None:
        """The value of ``key`` as this transaction sees it."""
        value = self._transaction.get(key)
        return None if value is None else bytes(value)

    def put(self, key: bytes, value: bytes) -> None:
        """Set ``key``."""
        self._transaction.put(key, value)

    def delete(self, key: bytes) -> bool:
        """Remove ``key``; whether it was there."""
        return bool(self._transaction.delete(key))

    def floor(self, key: bytes, prefix: bytes = b"") -> tuple[bytes, bytes] | None:
        """The last pair whose key is not above ``key`` and starts with ``prefix``."""
        with self._transaction.cursor() as cursor:
            found = (cursor.key() == key or cursor.prev()) if cursor.set_range(key) else cursor.last()
            if not found:
                return None
            pair = bytes(cursor.key()), bytes(cursor.value())
        return pair if pair[0].startswith(prefix) else None


class _Snapshot:
    """Reads through one transaction and one cursor."""

    __slots__ = ("_cursor", "_store", "_transaction")

    def __init__(self, store: KeyValueLmdb) -> None:
        self._store = store

    def __enter__(self) -> _Snapshot:
        try:
            self._transaction: Any = self._store._env.begin()
            self._cursor: Any = self._transaction.cursor()
        except lmdb.Error as error:
            raise self._store._error(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._cursor.close()
        self._transaction.abort()

    def get(self, key: bytes) -> bytes | None:
        """The value of ``key``, or None."""
        try:
            found: bytes | None = self._transaction.get(key)
        except lmdb.Error as error:
            raise self._store._error(error) from error
        return found

    def floor(self, key: bytes, prefix: bytes = b"") -> tuple[bytes, bytes] | None:
        """The last pair whose key is not above ``key`` and starts with ``prefix``."""
        pair, _ = self.around(key)
        return pair if pair is not None and pair[0].startswith(prefix) else None

    def around(self, key: bytes) -> tuple[tuple[bytes, bytes] | None, bytes]:
        """The last pair whose key is not above ``key``, and a key below which that stays true."""
        cursor = self._cursor
        try:
            if not cursor.set_range(key):
                return (cursor.item() if cursor.last() else None), _ABOVE_ALL
            following: bytes = cursor.key()
            if following == key:
                return cursor.item(), key + b"\0"
            return (cursor.item() if cursor.prev() else None), following
        except lmdb.Error as error:
            raise self._store._error(error) from error

    def version(self) -> int:
        """The number of the transaction that wrote this state, counted over all processes."""
        try:
            return int(self._transaction.id())
        except lmdb.Error as error:
            raise self._store._error(error) from error

    def between(self, start: bytes, end: bytes, most: int | None = None) -> list[tuple[bytes, bytes]]:
        """Pairs with ``start <= key < end``, ascending, at most so many."""
        try:
            if not self._cursor.set_range(start):
                return []
            return list(itertools.takewhile(lambda pair: pair[0] < end, itertools.islice(self._cursor, most)))
        except lmdb.Error as error:
            raise self._store._error(error) from error
