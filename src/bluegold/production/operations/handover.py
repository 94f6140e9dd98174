"""Handing a seat over without a gap: the successor answers before the predecessor stops listening.

The predecessor shows itself in the seat's second slot from then on, waits until the successor serves, takes no
more connections, answers what still comes on the ones it has with ``connection: close``, and ends.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sized
from typing import Protocol

from bluegold.production.operations.board import Board, Cell, Slot, State

__all__ = ["Leaving", "Listening", "hand_over"]

STEP_S = 0.002
GRACE_S = 5.0
SERVING = frozenset({State.READY, State.DEGRADED})


class Listening(Protocol):
    """The part of a server that is used here."""

    @property
    def connections(self) -> Sized:
        """The connections it has."""

    def deafen(self) -> None:
        """Take no more connections; others listen on the same socket."""


class Leaving(Protocol):
    """The part of a worker's desk that is used here."""

    slot: Slot
    leaving: bool


async def hand_over(desk: Leaving, board: Board, server: Listening, ended: asyncio.Event) -> None:
    """Leave the seat to a successor; returns when this worker may end.

    Args:
        desk: the desk of the worker that leaves.
        board: where both workers show themselves.
        server: the server of the worker that leaves.
        ended: set when the server stops altogether.
    """
    seat, mine = desk.slot, board.leaving(desk.slot.number)
    revision, log = seat[Cell.REVISION], seat[Cell.LOG]
    mine.begin(os.getpid())
    mine[Cell.REVISION], mine[Cell.LOG] = revision, log
    desk.slot = mine
    mine[Cell.STATE] = State.DRAINING
    while not ended.is_set() and not (seat[Cell.PID] != os.getpid() and seat[Cell.STATE] in SERVING):
        await asyncio.sleep(STEP_S)
    desk.leaving = True
    server.deafen()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + GRACE_S
    while not ended.is_set() and loop.time() < deadline and server.connections:
        await asyncio.sleep(STEP_S)
