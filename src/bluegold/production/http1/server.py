"""The server: takes connections on a socket that the supervisor holds, and ends those that take too long.

The supervisor keeps its copy of every worker's socket open, so a connection that arrives while a worker is
being replaced waits in the queue instead of being refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import time

from bluegold.core.errors import ServingError
from bluegold.production.app import BODY_SECONDS, App
from bluegold.production.http1.connection import LINGER_SECONDS, Connection
from bluegold.production.http1.replies import date
from bluegold.production.server import BACKLOG
from bluegold.production.tls import ServerTls
from bluegold.telemetry.log import Log

__all__ = ["HttpServer"]

_LOG = Log("production")
SWEEP_S = 1.0
SPARE_FILES = 128


class HttpServer:
    """HTTP/1.1 for one application on one socket.

    Args:
        app: what answers.
        listener: the listening socket; the server takes it over.
        tls: what TLS is ended with; without it the bytes are plain.
    """

    def __init__(self, app: App, listener: socket.socket, tls: ServerTls | None = None) -> None:
        self.app = app
        self.connections: set[Connection] = set()
        self.date = date()
        self._listener = listener
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._ended = asyncio.Event()
        self._finishing = False
        self._most = _files() - SPARE_FILES

    async def serve(self) -> None:
        """Answer until :meth:`finish` was called and everything that had begun is answered."""
        loop = asyncio.get_running_loop()
        context = self._tls.context if self._tls else None
        self._server = await loop.create_server(
            lambda: Connection(self),
            sock=self._listener,
            backlog=BACKLOG,
            ssl=context,
            ssl_handshake_timeout=BODY_SECONDS if context else None,
            ssl_shutdown_timeout=LINGER_SECONDS if context else None,
        )
        sweeper = loop.create_task(self._sweep())
        try:
            await self._ended.wait()
        finally:
            sweeper.cancel()
            self.deafen()
            for connection in list(self.connections):
                connection.end()

    def is_edge(self, transport: asyncio.BaseTransport) -> bool:
        """Whether a connection comes from the edge before this worker, which may say who its client is."""
        return (
            self._tls is not None
            and self.app.behind_edge
            and self._tls.is_inside(transport.get_extra_info("ssl_object"))
        )

    def deafen(self) -> None:
        """Take no more connections; the kernel gives new ones to whoever else listens on the socket."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def finish(self) -> None:
        """Take no more connections, answer what has begun."""
        self.deafen()
        self._finishing = True
        for connection in list(self.connections):
            connection.end()
        if not self.connections:
            self._ended.set()

    def lost(self, connection: Connection) -> None:
        """A connection has ended."""
        self.connections.discard(connection)
        if self._finishing and not self.connections:
            self._ended.set()

    @property
    def full(self) -> bool:
        """Whether a further connection would leave too few files for the work itself."""
        return len(self.connections) >= self._most

    def _refresh(self) -> None:
        """Serve with a changed certificate from now on."""
        try:
            if self._tls is not None and self._tls.refresh():
                _LOG.info("the certificate was changed")
        except ServingError as error:
            _LOG.error("the changed certificate is not used", because=str(error))

    async def _sweep(self) -> None:
        while True:
            self.date = date()
            self._refresh()
            now = time.monotonic()
            for connection in [one for one in self.connections if one.deadline < now]:
                connection.too_late()
            await asyncio.sleep(SWEEP_S)


def _files() -> int:
    """How many files this process may have open; as many as the system lets it ask for."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 65_536)
