"""Standing by: a worker that has loaded what answers, and waits for a seat to take.

Its orders are on the board, so that whoever leads can give them: a supervisor that was killed takes no standby along.
"""

from __future__ import annotations

import os
import time

import msgspec

from bluegold.production.operations.board import Board, Cell, Slot, State
from bluegold.production.operations.pulse import followed
from bluegold.production.worker_config import WorkerConfig

__all__ = ["order", "stand_by"]

LOOK_S = 0.003


def order(seat: Slot, *, pid: int, fd: int, log: int) -> None:
    """Write down in a seat's slot which standby is to take it, its listening socket, and the log to write."""
    seat[Cell.SEAT] = 0
    seat.begin(pid)
    seat[Cell.SOCKET], seat[Cell.LOG] = fd, log
    seat[Cell.SEAT] = 1  # last: what is not 0 is complete


def stand_by(config: WorkerConfig, board: Board) -> WorkerConfig | None:
    """The configuration to serve with: the given one, or for a standby the one it is ordered to take.

    Args:
        config: what this process was told at its start.
        board: where it shows that it is ready, and finds its order.

    Returns:
        None when nobody leads the server any more.
    """
    if not config.standby:
        return config
    slot, seats, mine = board.standby(), board.slots(), os.getpid()
    led = followed(board)
    slot.beat()
    slot[Cell.STATE] = State.STANDBY
    while led():
        for seat in seats:
            if seat[Cell.PID] == mine and seat[Cell.SEAT]:
                return _seated(config, slot, seat)
        if slot[Cell.PID] == mine:
            slot.beat()
        time.sleep(LOOK_S)
    return None


def _seated(config: WorkerConfig, slot: Slot, seat: Slot) -> WorkerConfig:
    if slot[Cell.PID] == os.getpid():  # else the next standby has the slot already
        slot[Cell.STATE] = State.ABSENT
    seat[Cell.SEAT] = 0
    with (config.board.parent / f"worker-{seat.number}.log").open("ab") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    fd, log = seat[Cell.SOCKET], seat[Cell.LOG]
    return msgspec.structs.replace(config, worker=seat.number, fd=fd, log=log, standby=0)
