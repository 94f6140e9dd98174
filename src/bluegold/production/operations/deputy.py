"""The deputy: a second supervisor that watches the first one and goes on where it stopped.

It holds the listening sockets too, so that the queues of new connections outlive the first supervisor, and takes
over the workers as they are: nothing is restarted, and no request notices.
"""

from __future__ import annotations

import os
import signal
import time

from bluegold.production.operations.board import Board, Head
from bluegold.production.operations.server_config import ServerConfig
from bluegold.production.operations.watched import Watched
from bluegold.telemetry.log import Log

__all__ = ["is_needed"]

_LOG = Log("deputy")

TICK_S = 0.02
HANG_NS = 3_000_000_000


def is_needed(server: ServerConfig, board: Board) -> bool:
    """Wait beside the leading supervisor; whether it is gone without having stopped the server.

    A leader that shows no pulse for three seconds is ended first: two must never lead.

    Args:
        server: the server; ``leader`` is the supervisor to watch.
        board: where both show their pulse.
    """
    board[Head.DEPUTY] = os.getpid()
    try:
        leader = Watched(server.leader)
    except ProcessLookupError:
        return not board[Head.STOPPED]
    last = time.monotonic_ns()
    while not leader.ended(TICK_S):
        now = time.monotonic_ns()
        board[Head.DEPUTY_NS] = now
        late, last = now - last > HANG_NS // 10, now
        if not late and now - board[Head.LEADER_NS] > HANG_NS:
            _LOG.error("the supervisor hangs: ended", process=leader.pid)
            leader.send(signal.SIGKILL)
    leader.bury()
    return not board[Head.STOPPED]
