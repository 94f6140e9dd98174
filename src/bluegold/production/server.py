"""The HTTP server inside a worker: granian, embedded, on a listening socket that the supervisor holds.

The supervisor keeps its copy of every worker's socket open, so a connection that arrives while a worker is
being replaced waits in the queue instead of being refused.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from bluegold.core.errors import ServingError

__all__ = ["BACKLOG", "SocketServer", "listen"]

BACKLOG = 1024


class SocketServer(Server):
    """Granian's embedded server on a socket that exists already.

    Args:
        application: an RSGI application.
        listener: the listening socket; the server takes it over.
    """

    def __init__(self, application: object, listener: socket.socket) -> None:
        self._listener = listener
        super().__init__(
            application,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            websockets=False,
            log_enabled=False,
            backlog=BACKLOG,
            http1_settings=HTTP1Settings(header_read_timeout=10_000),
        )

    def _init_shared_socket(self) -> None:
        """Take the given socket where granian would open one of its own."""
        shared: Any = self
        holder: Any = SocketHolder
        descriptor = self._listener.detach()
        shared._ssp, shared._sfd, shared._shd = None, descriptor, holder(descriptor, False, BACKLOG)

    def finish(self) -> None:
        """Take no more connections, answer what has begun."""
        stop: Callable[[], None] = self.stop
        stop()


def listen(host: str, port: int, count: int) -> list[socket.socket]:
    """``count`` listening sockets on one port, among which the kernel spreads new connections (SO_REUSEPORT).

    Args:
        host: address; loopback unless somebody decided otherwise.
        port: port, 0 for any free one.
        count: how many.

    Raises:
        ServingError: the port is taken or may not be used.

    Example:
        >>> pair = listen("127.0.0.1", 0, 2)
        >>> pair[0].getsockname() == pair[1].getsockname()
        True
        >>> for one in pair:
        ...     one.close()
    """
    opened: list[socket.socket] = []
    try:
        # SO_REUSEPORT would let a second server of the same user share the port unseen: ask without it first.
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            family, port = probe.family, probe.getsockname()[1]
        for _ in range(count):
            listener = socket.socket(family)
            opened.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((host, port))
            listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        for listener in opened:
            listener.close()
        raise ServingError(
            f"port {port} on {host} cannot be used",
            why=getattr(error, "strerror", None) or str(error),
            way_out="stop what uses it, or choose another with --port (0 takes any free one)",
        ) from error
    return opened
