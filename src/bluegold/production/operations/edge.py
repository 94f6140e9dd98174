"""The edge: one process before the workers that sends a request again when its worker died with it.

It forwards bytes over connections that it keeps to every worker.  A request is held until its answer is complete;
when the worker's connection ends before that, the request goes to another worker under the same attempt number,
by which that one finds a decision that was recorded but not answered any more, instead of deciding twice.

``python -m bluegold.production.operations.edge CONFIG`` is started by the supervisor.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import socket
import sys
import time
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import msgspec

from bluegold.core.errors import ServingError
from bluegold.production.operations.board import Board, Cell, State
from bluegold.production.operations.edge_http import (
    HEAD_LIMIT,
    HOLDER,
    Malformed,
    Message,
    forwarded,
    parse_request,
    parse_response,
)
from bluegold.production.operations.pulse import followed
from bluegold.production.server import BACKLOG
from bluegold.production.tls import ServerTls, Tls, holder_of, inside_context
from bluegold.telemetry.log import Log, configure

__all__ = ["EdgeConfig", "main"]

_LOG = Log("edge")
LOOK_S = 0.005
WAIT_S = 10.0
ANSWER_S = 30.0
READ_S = 10.0
IDLE_S = 75.0
MOST = 2_000
"""Requests under way; a further one is refused with 503 before it can make the others late."""


class EdgeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The public listening socket, and the loopback port of every worker.

    With ``tls`` the edge ends the clients' TLS and speaks TLS with the workers, to whom it proves itself by the
    certificate in ``keys``.
    """

    fd: int
    ports: tuple[int, ...]
    board: Path
    tls: Tls | None = None
    keys: Path = Path()

    def command(self) -> list[str]:
        """The command line of an edge with this configuration."""
        told = msgspec.json.encode(self, enc_hook=str).decode()
        return [sys.executable, "-m", "bluegold.production.operations.edge", told]


class Router:
    """Knows which workers answer, and keeps connections to them."""

    def __init__(self, config: EdgeConfig, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.clients: set[_Client] = set()
        self.busy = 0
        self.ended = asyncio.Event()
        self._board = Board(config.board)
        self._led = followed(self._board)
        self._ports = config.ports
        self._idle: list[list[_Upstream]] = [[] for _ in config.ports]
        self._under_way = [0] * len(config.ports)
        self._answering: list[int] = []
        self._connecting: set[asyncio.Task[None]] = set()
        self._name = secrets.token_hex(8).encode()
        self._attempts = 0
        self._files, self._keys = config.tls, config.keys
        self.tls = ServerTls(config.tls, config.keys) if config.tls else None
        self._inside = inside_context(config.tls.cert, config.keys) if config.tls else None
        self.look()

    def look(self) -> None:
        """See which workers answer now."""
        self._answering = [
            slot.number
            for slot in self._board.slots()
            if slot[Cell.STATE] in {State.READY, State.DEGRADED} and not slot[Cell.SUSPECTED]
        ]
        if not self._led():
            self.ended.set()
        self.loop.call_later(LOOK_S, self.look)

    def sweep(self) -> None:
        """Hang up on clients that take too long."""
        now = time.monotonic()
        for client in [client for client in self.clients if client.deadline < now]:
            client.too_late()
        try:
            if self.tls is not None and self._files is not None and self.tls.refresh():
                self._inside = inside_context(self._files.cert, self._keys)
        except ServingError as error:
            _LOG.error("the changed certificate is not used", because=str(error))
        self.loop.call_later(1.0, self.sweep)

    def attempt(self) -> bytes:
        """A name for one request that nobody can guess."""
        self._attempts += 1
        return b"%b-%d" % (self._name, self._attempts)

    def send(self, client: _Client) -> bool:
        """Give a request to the answering worker that has the fewest; False when none answers."""
        if not self._answering:
            return False
        worker = min(self._answering, key=self._under_way.__getitem__)
        self._under_way[worker] += 1
        idle = self._idle[worker]
        while idle:
            upstream = idle.pop()
            if not upstream.transport.is_closing():
                upstream.ask(client)
                return True
        task = self.loop.create_task(self._connect(worker, client))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return True

    async def _connect(self, worker: int, client: _Client) -> None:
        try:
            _, upstream = await self.loop.create_connection(
                lambda: _Upstream(self, worker), "127.0.0.1", self._ports[worker], ssl=self._inside
            )
        except OSError:
            self._under_way[worker] -= 1
            self.loop.call_later(LOOK_S, client.again)
        else:
            upstream.ask(client)

    def done(self, upstream: _Upstream, *, keep: bool) -> None:
        """An upstream connection has answered, or ended."""
        self._under_way[upstream.worker] -= 1
        if keep:
            self._idle[upstream.worker].append(upstream)


class _Upstream(asyncio.Protocol):
    """One kept connection to a worker; at most one request is on it."""

    transport: asyncio.Transport

    def __init__(self, router: Router, worker: int) -> None:
        self.worker = worker
        self._router = router
        self._client: _Client | None = None
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # a stream's transport

    def ask(self, client: _Client) -> None:
        self._client = client
        self.transport.write(client.request)

    def data_received(self, data: bytes) -> None:
        client = self._client
        self._buffer += data
        try:
            found = parse_response(self._buffer, bodiless=client is not None and client.bodiless)
        except Malformed:
            self.transport.abort()
            return
        if client is None or found is None or len(self._buffer) < found.end:
            return
        answer = bytes(self._buffer[: found.end])
        del self._buffer[: found.end]
        self._client = None
        self._router.done(self, keep=not found.close)
        if found.close:
            self.transport.close()
            answer = forwarded(answer[: found.head], b"") + answer[found.head :]
        client.answered(answer)

    def connection_lost(self, _: Exception | None) -> None:
        client, self._client = self._client, None
        if client is not None:
            self._router.done(self, keep=False)
            client.again()


class _Client(asyncio.Protocol):
    """One client's connection: its requests are read one by one and answered in order."""

    transport: asyncio.Transport

    def __init__(self, router: Router) -> None:
        self.request = b""
        self.bodiless = False
        self.deadline = time.monotonic() + READ_S
        self._router = router
        self._buffer = bytearray()
        self._message: Message | None = None
        self._attempt = b""
        self._peer = self._holder = b""
        self._until = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # a stream's transport
        self._peer = str(transport.get_extra_info("peername")[0]).encode()
        self._holder = quote(holder_of(transport.get_extra_info("peercert"))).encode()
        self._router.clients.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._router.clients.discard(self)
        if self._message is not None:
            self._message = None
            self._router.busy -= 1

    def data_received(self, data: bytes) -> None:
        if not self._buffer and self._message is None:
            self.deadline = time.monotonic() + READ_S
        self._buffer += data
        if self._message is None:
            self._advance()
        elif len(self._buffer) > HEAD_LIMIT:
            self.transport.pause_reading()

    def too_late(self) -> None:
        """A request was not complete in time, or nothing came for a long while."""
        if self._buffer and self._message is None:
            self._refuse(408)
        elif self._message is None:
            self.transport.close()
        else:
            self._refuse(504)

    def again(self) -> None:
        """Send the request once more: its worker is gone."""
        if self._message is not None:
            self._compose(b"x-bluegold-retry: 1\r\n")
            self._send()

    def answered(self, answer: bytes) -> None:
        """Pass on the complete answer, and go on with what came meanwhile."""
        message = self._message
        if message is None:
            return
        self._router.busy -= 1
        self._message = None
        self.transport.write(answer)
        if message.close:
            self.transport.close()
            return
        del self._buffer[: message.end]
        self.deadline = time.monotonic() + (READ_S if self._buffer else IDLE_S)
        self.transport.resume_reading()
        if self._buffer:
            self._advance()

    def _advance(self) -> None:
        try:
            found = parse_request(self._buffer)
        except Malformed as error:
            self._refuse(error.status)
            return
        if found is None or len(self._buffer) < found.end:
            return
        if self._router.busy >= MOST:
            self._refuse(503)
            return
        self._router.busy += 1
        self._message = found
        self.bodiless = self._buffer.startswith(b"HEAD ")
        self._attempt = self._router.attempt()
        self._until = time.monotonic() + WAIT_S
        self.deadline = time.monotonic() + ANSWER_S
        self._compose(b"")
        self._send()

    def _compose(self, more: bytes) -> None:
        message = self._message
        if message is not None:
            ours = b"x-bluegold-attempt: %b\r\nx-bluegold-peer: %b\r\n%b" % (self._attempt, self._peer, more)
            if self._holder:
                ours += b"%b: %b\r\n" % (HOLDER.encode(), self._holder)
            self.request = forwarded(bytes(self._buffer[: message.head]), ours) + bytes(
                self._buffer[message.head : message.end]
            )

    def _send(self) -> None:
        if self._message is None or self._router.send(self):
            return
        if time.monotonic() > self._until:
            self._refuse(503)
        else:
            self._router.loop.call_later(LOOK_S, self._send)

    def _refuse(self, status: int) -> None:
        if self._message is not None:
            self._message = None
            self._router.busy -= 1
        title = HTTPStatus(status).phrase
        body = msgspec.json.encode({"type": title.lower().replace(" ", "-"), "title": title, "status": status})
        head = f"HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
        head += "retry-after: 1\r\n" if status == 503 else ""
        self.transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        self.transport.close()


async def _run(config: EdgeConfig) -> None:
    loop = asyncio.get_running_loop()
    router = Router(config, loop)
    router.sweep()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, router.ended.set)
    tls = router.tls.context if router.tls else None
    server = await loop.create_server(
        lambda: _Client(router),
        sock=socket.socket(fileno=config.fd),
        backlog=BACKLOG,
        ssl=tls,
        ssl_handshake_timeout=READ_S if tls else None,
    )
    await router.ended.wait()
    server.close()
    deadline = loop.time() + READ_S
    while router.busy and loop.time() < deadline:
        await asyncio.sleep(LOOK_S)


def main(argv: list[str] | None = None) -> int:
    """Entry point of the process."""
    import uvloop

    [told] = sys.argv[1:] if argv is None else argv
    configure("info")
    config = msgspec.json.decode(told, type=EdgeConfig, dec_hook=lambda kind, value: kind(value))
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_run(config))
    return 0


if __name__ == "__main__":
    sys.exit(main())
