"""Live traffic for the demo: a process of its own that replays recorded rows as HTTP requests.

Each line of the replay file is ``{"body": {...}, "label": true}``.  Rows are sent at a steady rate over a few
kept-alive connections; the label of an answered request is posted to ``/v1/outcomes`` a moment later, as outcomes
arrive in real life.  The process stops when the file is exhausted or its standard input is closed, and prints its
totals as one JSON line.  It only ever talks to 127.0.0.1.
"""

from __future__ import annotations

import argparse
import http.client
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["Replay", "Totals", "main"]

_JSON = {"content-type": "application/json"}


class Totals(msgspec.Struct, kw_only=True):
    """What one replay did.  Latencies in milliseconds."""

    sent: int = 0
    answered: int = 0
    failed: int = 0
    labelled: int = 0
    gold: int = 0
    seconds: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    errors: list[str] = []

    def plus(self, other: Totals) -> Totals:
        """Both replays together (latencies: the worse of the two)."""
        return Totals(
            sent=self.sent + other.sent,
            answered=self.answered + other.answered,
            failed=self.failed + other.failed,
            labelled=self.labelled + other.labelled,
            gold=self.gold + other.gold,
            seconds=self.seconds + other.seconds,
            p50_ms=max(self.p50_ms, other.p50_ms),
            p99_ms=max(self.p99_ms, other.p99_ms),
            errors=(self.errors + other.errors)[:5],
        )


class Replay:
    """A running replay process.

    Args:
        port: where the server listens on 127.0.0.1.
        rows: the replay file (JSON lines).
        rate: requests per second, over all connections.
        delay_s: how long after the answer an outcome is posted.
    """

    def __init__(self, port: int, rows: Path, *, rate: float, delay_s: float = 0.5) -> None:
        command = [sys.executable, "-m", "bluegold.cli.story.traffic", "--port", str(port), "--rows", str(rows)]
        command += ["--rate", str(rate), "--delay", str(delay_s)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def running(self) -> bool:
        """Whether rows are still being sent."""
        return self._process.poll() is None

    def stop(self, timeout_s: float = 30.0) -> Totals:
        """Let the requests under way finish, then return the totals."""
        try:
            out, _ = self._process.communicate("", timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            out, _ = self._process.communicate()
        lines = out.strip().splitlines()
        return msgspec.json.decode(lines[-1], type=Totals) if lines else Totals(failed=1, errors=["traffic died"])


class _Sender(threading.Thread):
    """One kept-alive connection that sends its share of the rows in order."""

    def __init__(self, client: _Client) -> None:
        super().__init__(daemon=True)
        self.client = client
        self.totals = Totals()
        self.latencies: list[float] = []
        self.pending: list[tuple[float, str, Any]] = []
        self.link = http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)

    def run(self) -> None:
        while not self.client.stopping.is_set():
            try:
                body, label = self.client.rows.get_nowait()
            except queue.Empty:
                break
            self.client.pace()
            self._send(body, label)
            self._post_outcomes(time.monotonic() - self.client.delay_s)
        time.sleep(self.client.delay_s)
        self._post_outcomes(time.monotonic())
        self.link.close()

    def _send(self, body: bytes, label: Any) -> None:
        started = time.perf_counter()
        self.totals.sent += 1
        status, answer = self._post("/v1/predict", body)
        if status != 200:
            self.totals.failed += 1
            self.totals.errors.append(f"{status}: {answer[:120].decode(errors='replace')}")
            return
        self.latencies.append((time.perf_counter() - started) * 1000)
        decoded = msgspec.json.decode(answer)
        self.totals.answered += 1
        self.totals.gold += decoded.get("color") == "gold"
        self.pending.append((time.monotonic(), decoded["id"], label))

    def _post_outcomes(self, until: float) -> None:
        due = [row for row in self.pending if row[0] <= until]
        if not due or (len(due) < 20 and until < time.monotonic() - self.client.delay_s / 2 and len(self.pending) < 40):
            return
        self.pending = self.pending[len(due) :]
        outcomes = [{"id": identity, "value": label} for _, identity, label in due]
        status, _ = self._post("/v1/outcomes", msgspec.json.encode({"outcomes": outcomes}))
        if status < 300:
            self.totals.labelled += len(due)

    def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        try:
            self.link.request("POST", path, body, _JSON)
            response = self.link.getresponse()
            return response.status, response.read()
        except (http.client.HTTPException, OSError) as error:
            self.link.close()
            return 0, repr(error).encode()


class _Client:
    """The shared state of the senders: the rows, the pace and the stop signal."""

    def __init__(self, port: int, rows: Iterator[tuple[bytes, Any]], rate: float, delay_s: float) -> None:
        self.port = port
        self.delay_s = delay_s
        self.rows: queue.SimpleQueue[tuple[bytes, Any]] = queue.SimpleQueue()
        for row in rows:
            self.rows.put(row)
        self.stopping = threading.Event()
        self._gap = 1.0 / rate
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def pace(self) -> None:
        """Wait for this request's turn; after a stall the rate is kept, not caught up."""
        with self._lock:
            turn = max(self._next, time.monotonic() - 0.05)
            self._next = turn + self._gap
        time.sleep(max(0.0, turn - time.monotonic()))


def main() -> None:
    """Replay a file against a server on this machine and print the totals."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--delay", type=float, default=0.5)
    parser.add_argument("--connections", type=int, default=8)
    given = parser.parse_args()
    client = _Client(given.port, _rows(given.rows), given.rate, given.delay)
    started = time.monotonic()
    senders = [_Sender(client) for _ in range(given.connections)]
    for sender in senders:
        sender.start()
    threading.Thread(target=_stop_with_parent, args=(client,), daemon=True).start()
    total = Totals()
    latencies: list[float] = []
    for sender in senders:
        sender.join()
        total = total.plus(sender.totals)
        latencies += sender.latencies
    latencies.sort()
    total.seconds = time.monotonic() - started
    if latencies:
        total.p50_ms = latencies[len(latencies) // 2]
        total.p99_ms = latencies[int(len(latencies) * 0.99)]
    sys.stdout.write(msgspec.json.encode(total).decode() + "\n")


def _rows(path: Path) -> Iterator[tuple[bytes, Any]]:
    with path.open("rb") as file:
        for line in file:
            row = msgspec.json.decode(line)
            yield msgspec.json.encode(row["body"]), row["label"]


def _stop_with_parent(client: _Client) -> None:
    sys.stdin.read()  # ends when the parent closes the pipe, or dies
    client.stopping.set()


if __name__ == "__main__":
    main()
