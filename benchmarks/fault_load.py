"""Load for `faults.py`: kept connections that ask at a steady pace and count every request that was not answered.

A process of its own, so that it shares nothing with what is measured.  It asks until its standard input is closed
and prints one JSON object.  A request that found its kept connection closed without notice counts as failed.

    python benchmarks/fault_load.py HOST PORT CONNECTIONS PAUSE_MS BODY
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time

__all__ = ["Tally", "main"]

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Tally:
    """What came of the requests: ids of answers, moments and reasons of failures, and the longest silence."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.answered = 0
        self.failed: list[tuple[float, str]] = []
        self.latencies: list[float] = []
        self.gap = 0.0
        self._last = time.perf_counter()

    def answer(self, status: int, body: bytes, took: float) -> None:
        """Count one answer."""
        now = time.perf_counter()
        self.gap = max(self.gap, now - self._last)
        self._last = now
        self.latencies.append(took)
        if status != 200:
            self.failed.append((time.time(), f"status {status}"))
            return
        self.answered += 1
        found = re.search(rb'"id":"([^"]+)"', body)
        if found:
            self.ids.append(found[1].decode())

    def report(self) -> dict[str, object]:
        """The tally as plain data; latencies in milliseconds."""
        times = sorted(self.latencies) or [0.0]
        return {
            "answered": self.answered,
            "failed": self.failed,
            "ids": self.ids,
            "gap_ms": self.gap * 1e3,
            "p50_ms": times[len(times) // 2] * 1e3,
            "p99_ms": times[int(len(times) * 0.99)] * 1e3,
            "max_ms": times[-1] * 1e3,
        }


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    body = await reader.readexactly(int(length[1]) if length else 0)
    return int(head[9:12]), body, b"connection: close" in head.lower()


async def _ask(host: str, port: int, request: bytes, tally: Tally, pause: float, stop: asyncio.Event) -> None:
    streams = None
    while not stop.is_set():
        began = time.perf_counter()
        try:
            if streams is None:
                streams = await asyncio.open_connection(host, port)
            streams[1].write(request)
            status, body, close = await asyncio.wait_for(_read(streams[0]), 20.0)
        except (OSError, EOFError, TimeoutError) as error:
            tally.failed.append((time.time(), type(error).__name__))
            close = True
        else:
            tally.answer(status, body, time.perf_counter() - began)
        if close and streams is not None:
            streams[1].close()
            streams = None
        await asyncio.sleep(pause)


async def _run(host: str, port: int, connections: int, pause: float, body: bytes) -> Tally:
    head = f"POST /v1/predict HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    tally, stop = Tally(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), stop.set)
    await asyncio.gather(*(_ask(host, port, request, tally, pause, stop) for _ in range(connections)))
    return tally


def main(argv: list[str]) -> int:
    """Ask until standard input is closed."""
    host, port, connections, pause, body = argv
    tally = asyncio.run(_run(host, int(port), int(connections), float(pause) / 1e3, body.encode()))
    sys.stdout.write(json.dumps(tally.report()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
