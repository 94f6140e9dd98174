"""The pulse of a worker: written from its event loop, so that a hang of the loop shows; and whom it follows."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Protocol

from bluegold.production.operations.board import Board, Cell, Head, Slot

__all__ = ["HEARTBEAT_S", "LEASE_S", "Beating", "Writing", "followed", "parent", "pulse"]

HEARTBEAT_S = 0.02
STALLED_S = 1.0
"""A disk that has not taken decisions for so long counts as one that does not: they wait, and none is given."""

LEASE_S = 10.0
"""So long a worker serves on without any supervisor; a deputy takes over within a fraction of a second."""


class Writing(Protocol):
    """The part of a decision log that is used here."""

    trouble: str

    @property
    def stalled_s(self) -> float:
        """For how long the disk has owed an answer."""


class Beating(Protocol):
    """The part of a worker's desk that is used here."""

    slot: Slot

    @property
    def log(self) -> Writing:
        """The decision log."""


async def pulse(
    desk: Beating, watched: Callable[[], bool], ended: asyncio.Event, connections: Callable[[], int]
) -> None:
    """Show that the loop turns, what it holds open and whether decisions can be recorded, until cancelled.

    Args:
        desk: the worker's desk; its present slot is the one that is written.
        watched: whether somebody still watches this worker.
        ended: set when nobody does.
        connections: counts the open connections of clients.
    """
    while True:
        slot = desk.slot
        slot.beat()
        slot[Cell.CONNECTIONS], slot[Cell.TASKS] = connections(), len(asyncio.all_tasks())
        trouble = bool(desk.log.trouble) or desk.log.stalled_s > STALLED_S
        if trouble != bool(slot[Cell.UNRECORDED_NS]):
            slot[Cell.UNRECORDED_NS] = time.monotonic_ns() if trouble else 0
        if not watched():
            ended.set()
        await asyncio.sleep(HEARTBEAT_S)


def followed(board: Board, lease: float = LEASE_S) -> Callable[[], bool]:
    """Whether a supervisor has shown itself on the board within the lease; a new one may have taken over.

    Example:
        >>> import pathlib, tempfile
        >>> board = Board.create(pathlib.Path(tempfile.mkdtemp()) / "board", workers=1)
        >>> followed(board)(), followed(board, lease=-1.0)()
        (True, False)
    """
    return lambda: time.monotonic_ns() - board[Head.LEADER_NS] <= lease * 1e9


def parent() -> Callable[[], bool]:
    """Whether the process that started this one is still there."""
    first = os.getppid()
    return lambda: os.getppid() == first
