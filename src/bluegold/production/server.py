"""Listening sockets of workers: several on one port, among which the kernel spreads new connections."""

from __future__ import annotations

import socket

from bluegold.core.errors import ServingError

__all__ = ["BACKLOG", "listen"]

BACKLOG = 1024


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
