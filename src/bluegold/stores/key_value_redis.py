"""Key-value store on a Redis or Valkey server: ordered keys that several machines share.

A batch holds a lock of the server while it is built and is applied in one atomic step; a writer that dies loses its
lock after some seconds and nothing of its batch was ever visible.  A snapshot reads the state it first saw: the server
keeps what the last changes replaced.  What an address says of user and password is never shown.
"""

from __future__ import annotations

import secrets
import time
from bisect import bisect_right, insort
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bluegold.core.errors import StoreError, UsageError
from bluegold.stores.redis_scripts import APPLY, PARTS, READ, RENEW

__all__ = ["KeyValueRedis", "shown_address"]

#: a writer that shows no life for so long loses its turn
LOCK_MS = 5_000
#: how long a writer waits for its turn
TURN_S = 30.0
#: how long one answer may take, for reads and for writes
READ_S, WRITE_S = 0.5, 15.0
#: changes that snapshots can look behind
REMEMBERED = 20_000
LONGEST_KEY = 511


def shown_address(url: str) -> str:
    """An address without user and password, for messages.

    Example:
        >>> shown_address("redis://ann:s3cret@cache.internal:6380/2?name=x")
        'redis://cache.internal:6380/2'
        >>> shown_address("unix://:s3cret@/run/valkey.sock")
        'unix:///run/valkey.sock'
    """
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{place}{parts.path}"


class KeyValueRedis:
    """Ordered keys (1 to 511 bytes) and values on a server; nothing is asked of it before the first call.

    Args:
        url: ``redis://host:port/db``, ``rediss://`` for TLS, ``unix:///path``, or ``redis`` for the usual port of this
            machine; ``?name=NAME`` keeps several stores apart on one server.

    Raises:
        StoreError: the client is not installed, or an operation fails (no server, key too long, closed).
        UsageError: the address cannot be read.
    """

    def __init__(self, url: str) -> None:
        whole = url if "://" in url else "redis://127.0.0.1:6379/0"
        self.address = shown_address(whole)
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as error:
            raise StoreError(
                f"key-value store '{self.address}' cannot be used",
                why="the client is not installed",
                way_out='pip install "bluegold[redis]"',
            ) from error
        name = (parse_qs(urlsplit(whole).query).get("name") or ["bluegold"])[0]
        bare = whole.partition("?")[0]
        options: dict[str, Any] = {"health_check_interval": 30}
        self._faults: tuple[type[Exception], ...] = (redis.RedisError, OSError)
        try:
            if not bare.startswith("unix:"):
                options["socket_connect_timeout"] = READ_S
            once, twice = Retry(NoBackoff(), 0), Retry(NoBackoff(), 1)  # a write that got no answer is not repeated
            self._reader: Any = redis.Redis.from_url(bare, socket_timeout=READ_S, retry=twice, **options)
            self._writer: Any = redis.Redis.from_url(bare, socket_timeout=WRITE_S, retry=once, **options)
        except ValueError:
            raise UsageError(
                f"the address '{self.address}' of a key-value store cannot be read",
                way_out="write it as redis://host:6379/0",
            ) from None
        self._keys = [f"{{{name}}}:{part}" for part in PARTS]
        self._read = self._reader.register_script(READ)
        self._apply, self._renew = self._writer.register_script(APPLY), self._writer.register_script(RENEW)
        self._closed = False

    def get(self, key: bytes) -> bytes | None:
        """The value of ``key``, or None."""
        return self.snapshot().get(key)

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
        """Pairs with ``start <= key < end`` that start with ``prefix``, ascending; read whole, in one call."""
        low, high = max(prefix, start or b""), _successor(prefix)
        if end is not None:
            high = end if high is None else min(high, end)
        if limit == 0 or (high is not None and low >= high):
            return iter(())
        return iter(self.snapshot().ranged(low, high, -1 if limit is None else limit))

    def floor(self, key: bytes, prefix: bytes = b"") -> tuple[bytes, bytes] | None:
        """The last pair whose key is not above ``key`` and starts with ``prefix``."""
        return self.snapshot().floor(key, prefix)

    def snapshot(self) -> _Snapshot:
        """Several reads of the state that the first of them finds; one question to the server each."""
        self._check_open()
        return _Snapshot(self)

    @contextmanager
    def batch(self) -> Iterator[_Batch]:
        """Many reads and writes as one atomic transaction; other writers wait until it ends."""
        self._check_open()
        token = self._locked()
        batch = _Batch(self, token)
        changes: list[Any] = []
        try:
            yield batch
            changes = batch.changes()
        finally:  # an exception applies nothing and gives the turn back
            self._answer(self._apply, token, REMEMBERED, *changes)

    def ping(self) -> None:
        """Ask the server; raises ``StoreError`` when it does not answer."""
        self._check_open()
        self._guarded(self._reader.ping)

    def close(self) -> None:
        """Close the connections; a closed store may be closed again."""
        self._closed = True
        for client in (self._reader, self._writer):
            client.close()

    def ask(self, *question: Any) -> list[Any]:
        """One question to the server, as the reading script takes it."""
        self._check_open()
        found: list[Any] = self._answer(self._read, *question)
        return found

    def renew(self, token: str) -> None:
        """Keep the turn to write."""
        self._answer(self._renew, token, LOCK_MS)

    def check_key(self, key: bytes) -> None:
        """Refuse a key that cannot be kept."""
        if not 1 <= len(key) <= LONGEST_KEY:
            raise StoreError(
                f"key-value store '{self.address}' failed",
                why=f"a key has {len(key)} bytes",
                way_out=f"use keys of 1 to {LONGEST_KEY} bytes",
            )

    def _locked(self) -> str:
        token, until, pause = secrets.token_hex(8), time.monotonic() + TURN_S, 0.0005
        lock = self._keys[PARTS.index("lock")]
        while not self._guarded(lambda: self._writer.set(lock, token, nx=True, px=LOCK_MS)):
            if time.monotonic() > until:
                raise StoreError(
                    f"key-value store '{self.address}' is busy",
                    why=f"other writers held it for {TURN_S:.0f} s",
                    way_out="try again; a writer that died is forgotten after some seconds",
                )
            time.sleep(pause)
            pause = min(pause * 2, 0.05)
        return token

    def _answer(self, script: Any, *arguments: Any) -> Any:
        return self._guarded(lambda: script(keys=self._keys, args=arguments))

    def _guarded(self, ask: Any) -> Any:
        try:
            return ask()
        except self._faults as error:
            raise StoreError(
                f"key-value store '{self.address}' failed",
                why=f"{type(error).__name__}: {str(error)[:200]}",
                way_out="check that the server runs and that the address, user and password are right",
            ) from None  # the chain may name what is not to be shown

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"key-value store '{self.address}' is closed", way_out="open it again")


class _Snapshot:
    """Reads of one state: that of the first read."""

    __slots__ = ("_at", "_store")

    def __init__(self, store: KeyValueRedis) -> None:
        self._store, self._at = store, b""

    def __enter__(self) -> _Snapshot:
        return self

    def __exit__(self, *_: object) -> None:
        self._at = b""

    def get(self, key: bytes) -> bytes | None:
        """The value of ``key``, or None."""
        found: bytes | None = self._ask("get", key)[0]
        return found

    def floor(self, key: bytes, prefix: bytes = b"") -> tuple[bytes, bytes] | None:
        """The last pair whose key is not above ``key`` and starts with ``prefix``."""
        found = self._ask("floor", key, prefix)
        return (found[0], found[1]) if found else None

    def around(self, key: bytes) -> tuple[tuple[bytes, bytes] | None, bytes]:
        """The last pair whose key is not above ``key``, and a key below which that is known to stay true."""
        return self.floor(key), key + b"\0"

    def version(self) -> None:
        """Not known before the first read."""

    def between(self, start: bytes, end: bytes, most: int | None = None) -> list[tuple[bytes, bytes]]:
        """Pairs with ``start <= key < end``, ascending, at most so many."""
        return self.ranged(start, end, -1 if most is None else most)

    def ranged(self, low: bytes, high: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        """Pairs from ``low`` to below ``high``, at most ``limit`` (-1: all)."""
        start, end = b"[" + low if low else b"-", b"+" if high is None else b"(" + high
        found = self._ask("between", start, end, limit)
        return list(zip(found[::2], found[1::2], strict=True))

    def _ask(self, *question: Any) -> list[Any]:
        at, *found = self._store.ask(self._at, *question)
        self._at = b"%d" % at
        return found if question[0] != "get" or found else [None]


class _Batch:
    """Reads and writes while this writer has the turn; nobody else writes, so reads need no snapshot."""

    def __init__(self, store: KeyValueRedis, token: str) -> None:
        self._store, self._token = store, token
        self._new: dict[bytes, bytes | None] = {}
        self._order: list[bytes] = []
        self._renewed = time.monotonic()

    def get(self, key: bytes) -> bytes | None:
        """The value of ``key`` as this transaction sees it."""
        self._alive()
        return self._new[key] if key in self._new else self._store.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Set ``key``."""
        self._set(key, value)

    def delete(self, key: bytes) -> bool:
        """Remove ``key``; whether it was there."""
        there = self.get(key) is not None
        self._set(key, None)
        return there

    def floor(self, key: bytes, prefix: bytes = b"") -> tuple[bytes, bytes] | None:
        """The last pair whose key is not above ``key`` and starts with ``prefix``."""
        self._alive()
        place = bisect_right(self._order, key)
        while place and self._new[self._order[place - 1]] is None:
            place -= 1
        mine = self._order[place - 1] if place else None
        probe: bytes | None = key
        found = None
        while probe is not None:
            found = self._store.floor(probe)
            if found is None or found[0] not in self._new or self._new[found[0]] is not None:
                break
            probe = _before(found[0])  # this batch removes it
        best = mine if found is None or (mine is not None and mine >= found[0]) else found[0]
        if best is None or not best.startswith(prefix):
            return None
        held = self._new.get(best)
        return best, held if held is not None else found[1]  # type: ignore[index] # without one of its own it was found

    def changes(self) -> list[Any]:
        """What the batch comes to, as the applying script takes it."""
        return [
            part
            for key, value in self._new.items()
            for part in (("delete", key, b"") if value is None else ("put", key, value))
        ]

    def _set(self, key: bytes, value: bytes | None) -> None:
        self._store.check_key(key)
        self._alive()
        if key not in self._new:
            insort(self._order, key)
        self._new[key] = value

    def _alive(self) -> None:
        if time.monotonic() - self._renewed > LOCK_MS / 4000:
            self._store.renew(self._token)
            self._renewed = time.monotonic()


def _successor(prefix: bytes) -> bytes | None:
    """The first key above all that start with ``prefix``; None where there is none."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else None


def _before(key: bytes) -> bytes | None:
    """The last key of at most 511 bytes below ``key``."""
    if key[-1] == 0:
        return key[:-1] or None
    return key[:-1] + bytes([key[-1] - 1]) + b"\xff" * (LONGEST_KEY - len(key))
