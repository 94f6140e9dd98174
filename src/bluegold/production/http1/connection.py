"""One connection: bytes become requests, answers become bytes, in the order in which the requests came.

The parser is llhttp, which is strict about what one server could read differently from the next (lengths, chunks,
line ends).  Everything that a client could make endless has a limit, in bytes or in seconds.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from typing import Any, Protocol
from urllib.parse import unquote

import httptools

from bluegold.production.app import BODY_LIMIT, BODY_SECONDS, App, Request, too_large
from bluegold.production.http1.replies import CONTINUE, head
from bluegold.production.messages import Reply, problem, problem_of
from bluegold.production.operations.edge_http import HOLDER
from bluegold.production.tls import holder_of

__all__ = ["HEAD_LIMIT", "IDLE_SECONDS", "Connection", "Host"]

HEAD_LIMIT = 64 * 1024
"""Most bytes of a request line with its headers; more are refused with 431."""

MESSAGE_LIMIT = 16 * 1024 * 1024
"""Most bytes of a whole request, with chunk headers and trailers."""

IDLE_SECONDS = 75.0
"""So long a connection may stay open without a request."""

LINGER_SECONDS = 2.0
"""So long the rest of a refused request is read and dropped, so that the client gets to see why."""

MOST_WAITING = 16
"""Requests that may wait on a connection for their turn before nothing more is read from it."""


class Host(Protocol):
    """What a connection needs of the server it belongs to."""

    app: App
    connections: set[Connection]
    date: bytes

    @property
    def full(self) -> bool:
        """Whether a further connection would leave too few files for the work itself."""

    def is_edge(self, transport: asyncio.BaseTransport) -> bool:
        """Whether a connection comes from the edge before this worker, which may say who its client is."""

    def lost(self, connection: Connection) -> None:
        """A connection has ended."""


class Connection(asyncio.Protocol):
    """What uvloop calls with the bytes of one client.

    Args:
        server: the server it belongs to.
    """

    def __init__(self, server: Host) -> None:
        self._server = server
        self._app = server.app
        self._parser: Any = None
        self._transport: Any = None
        self._client = self._certificate = ""
        self._waiting: deque[tuple[Request, Reply | bytes, str]] = deque()
        self._busy = self._turning = self._ending = False
        self._slow = self._secure = self._edge = False
        self._reading = True
        self._fed = 0
        self.deadline = 0.0
        """When this connection is given up, by ``time.monotonic()``; never while an answer is due."""
        self._started_ns = 0
        self._refused: Reply | None = None
        self._begin()

    @property
    def resting(self) -> bool:
        """Whether nothing was asked that is not answered."""
        return not self._busy and not self._waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._client = str(peer[0]) if isinstance(peer, tuple) else ""
        self._certificate = holder_of(transport.get_extra_info("peercert"))
        self._secure = transport.get_extra_info("sslcontext") is not None
        self._edge = self._server.is_edge(transport)
        self._parser = httptools.HttpRequestParser(self)
        self.deadline = time.monotonic() + BODY_SECONDS
        full = self._server.full
        self._server.connections.add(self)
        if full:
            self._refuse(problem(503, "too many connections are open", headers=(("retry-after", "1"),)))

    def connection_lost(self, _: Exception | None) -> None:
        """Forget it; what is being decided is still recorded."""
        self._ending = True
        self._parser = None
        self._waiting.clear()
        self._server.lost(self)

    def eof_received(self) -> bool:
        """The client sends no more: an answer that is due can still be sent."""
        if self.resting or self._secure:  # TLS knows no half-open connection
            return False
        self._ending = True
        return True

    def data_received(self, data: bytes) -> None:
        """Parse what came; answer what is complete."""
        if self._ending:
            return
        self._fed += len(data)
        while data and not self._ending:
            try:
                self._parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:
                data = self._without_upgrade() + data[upgrade.args[0] :]
            except httptools.HttpParserError:
                self._refuse(problem(400, "this is no HTTP/1.1 request"))
        if self._in_head and self._fed > HEAD_LIMIT:
            self._refuse(problem(431, f"the headers are longer than {HEAD_LIMIT} bytes"))
        elif self._fed > MESSAGE_LIMIT:
            self._refuse(problem_of(too_large()))

    def pause_writing(self) -> None:
        """The client reads too slowly: take nothing more from it."""
        self._slow = True
        self._flow()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._slow = False
        self._flow()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._begin()
        if not self._busy:
            self.deadline = self._started_s + BODY_SECONDS

    def on_url(self, part: bytes) -> None:
        """A piece of the request's target."""
        self._url += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header (or trailer, which counts for nothing)."""
        if self._in_head:
            known = _NAMES.get(name) or name.lower().decode("latin-1")
            self._headers[known] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Judge the request before its body is read."""
        self._in_head = False
        method = self._parser.get_method().decode("latin-1")
        path = _path(self._url)
        holder = unquote(self._headers.get(HOLDER, "")) if self._edge else self._certificate
        self._request = Request(method, path, self._headers, self._client, self._started_ns, holder)
        self._refused = self._app.admit(self._request)
        if self._refused is not None and self._refused.status == 413:
            self._refuse(self._refused)
        elif "expect" in self._headers and self.resting:
            if self._refused is None:
                self._transport.write(CONTINUE)
            else:
                self._refuse(self._refused)

    def on_body(self, part: bytes) -> None:
        """A piece of the body."""
        self._size += len(part)
        if self._size <= BODY_LIMIT:
            self._parts.append(part)
        elif not self._ending:
            self._refuse(problem_of(too_large()))

    def on_message_complete(self) -> None:
        """The request is there: answer it, or let it wait for its turn."""
        if self._ending or self._parser.should_upgrade():
            return
        parts = self._parts
        content: Reply | bytes = self._refused or (parts[0] if len(parts) == 1 else b"".join(parts))
        keep = self._parser.should_keep_alive()
        old = keep and self._parser.get_http_version() == "1.0"
        self._in_head, self._fed = True, 0
        self._waiting.append((self._request, content, ("keep-alive" if old else "") if keep else "close"))
        if self._busy:
            self._flow()
        else:
            self._next()

    def too_late(self) -> None:
        """The deadline has passed: say so when a request has begun, and hang up."""
        if self._ending:
            self._transport.abort()
        elif self._fed:
            self._refuse(problem(408, f"the request did not arrive within {BODY_SECONDS:g} s"))
        else:
            self._close()

    def end(self) -> None:
        """Hang up once nothing is due."""
        if self.resting:
            self._close()
        else:
            self._ending = True

    def _without_upgrade(self) -> bytes:
        """The head of a request that asks for another protocol, which nobody has to grant, without that wish.

        The parser leaves the body of such a request away, so a new one begins with this head.
        """
        if self._request.method == "CONNECT":
            self._refuse(problem(400, "this is no proxy"))
        names = [name for name in self._headers if name not in {"connection", "upgrade", "http2-settings"}]
        lines = [f"{self._request.method} {self._url.decode('latin-1')} HTTP/1.1"]
        lines += [f"{name}: {self._headers[name]}" for name in names]
        self._parser = httptools.HttpRequestParser(self)
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._size = 0
        self._refused = None
        self._in_head = True
        self._started_ns = time.perf_counter_ns()
        self._started_s = time.monotonic()

    def _next(self) -> None:
        """Answer what waits, one request after the other."""
        self._turning = True
        while self._waiting and not self._busy and not self._transport.is_closing():
            request, content, connection = self._waiting.popleft()
            self._busy = True
            self.deadline = _NEVER
            if isinstance(content, Reply):
                self._respond(request, connection, self._app.count(request, content))
            else:
                self._app.accept(request, content, functools.partial(self._respond, request, connection))
        self._turning = False
        self._flow()

    def _respond(self, request: Request, connection: str, reply: Reply) -> None:
        self._busy = False
        if self._transport.is_closing():
            return
        if self._app.leaving or (self._ending and not self._waiting):
            connection = "close"
        self._send(reply, connection, silent=request.method == "HEAD")
        if connection == "close":
            self._close()
            return
        self.deadline = time.monotonic() + (BODY_SECONDS if self._fed else IDLE_SECONDS)
        if self._waiting and not self._turning:
            self._next()

    def _send(self, reply: Reply, connection: str, *, silent: bool = False) -> None:
        first = head(reply.status, self._app.headers(reply), len(reply.body), connection)
        self._transport.write(b"%b%b%b" % (first, self._server.date, b"" if silent else reply.body))

    def _flow(self) -> None:
        """Read on only while the client takes its answers and few requests wait."""
        reading = not self._slow and len(self._waiting) < MOST_WAITING
        if reading is not self._reading and not self._transport.is_closing():
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _close(self) -> None:
        """Hang up when what was written is on its way; not for ever, when the client does not take it."""
        self._ending = True
        self.deadline = time.monotonic() + BODY_SECONDS
        self._transport.close()

    def _refuse(self, reply: Reply) -> None:
        """Answer what is no request or too much of one, read on for a moment without looking, and hang up."""
        if self._ending:
            return
        self._ending = True
        if self.resting:  # else an earlier answer is due; nobody can tell what this one would belong to
            self._app.count(Request("", "", {}, self._client, self._started_ns), reply)
            self._send(reply, "close")
            self.deadline = time.monotonic() + LINGER_SECONDS


_NEVER = float("inf")

#: names of headers as most clients write them
_NAMES = {
    spelt.encode(): name
    for name in ("accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent")
    for spelt in (name, name.title())
}


def _path(target: bytes) -> str:
    """The path of a request's target, which may be a whole address.

    Example:
        >>> _path(b"/v1/health?x=1"), _path(b"http://host:1/v1/health"), _path(b"*")
        ('/v1/health', '/v1/health', '*')
    """
    if not target.startswith(b"/") and b"://" in target:
        target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    return target.partition(b"?")[0].partition(b"#")[0].decode("latin-1")
