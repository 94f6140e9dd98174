"""Seats: who works where, who stands by to take a seat, and who has left one and still answers what has begun."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import msgspec

from bluegold.core.workspace import Workspace
from bluegold.production.operations.board import Board, Cell, Slot, State
from bluegold.production.operations.processes import start_worker
from bluegold.production.operations.server_config import ServerConfig
from bluegold.production.operations.standing_by import order
from bluegold.production.operations.watched import Watched, is_server_process
from bluegold.production.worker_config import WorkerConfig

__all__ = ["Seat", "Standby", "adopted", "free_log"]

QUICK_S = 2.0
BACKOFF_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)


class Seat:
    """One seat: a listening socket, a slot on the board, and the worker that has them at present."""

    def __init__(self, server: ServerConfig, board: Board, number: int) -> None:
        self.number = number
        self.slot = board.slot(number)
        self.leaving = board.leaving(number)
        self.fd = server.fds[number]
        self.process: Watched | None = None
        self.log = -1
        self.due = 0.0
        self.young_deaths = 0
        self._config, self._file = _worker(server, number)

    @property
    def serving(self) -> bool:
        """Whether its worker answers requests."""
        return self.slot[Cell.STATE] in {State.READY, State.DEGRADED}

    def start(self, log: int) -> Watched:
        """Start a worker for this seat from nothing."""
        config = msgspec.structs.replace(self._config, fd=self.fd, log=log)
        with self._file.open("ab") as file:
            child = start_worker(config, file)
        self.slot[Cell.SEAT] = 0
        self.slot.begin(child.pid)
        self.process, self.log = Watched(child.pid, child), log
        return self.process

    def give(self, standby: Standby, log: int) -> Watched:
        """Let the standby take this seat; a matter of milliseconds."""
        process = standby.process
        order(self.slot, pid=process.pid, fd=self.fd, log=log)
        process.started = time.monotonic()
        self.process, self.log = process, log
        return process

    def leave(self) -> Watched | None:
        """The worker that had this seat, which nobody has now."""
        process, self.process = self.process, None
        return process

    def bury(self) -> None:
        """Take note of the death of its worker and of when the next start is due."""
        self.slot[Cell.LOST_NS] = time.monotonic_ns()
        now = time.monotonic()
        process = self.leave()
        if process is None:
            return
        process.bury()
        self.young_deaths = self.young_deaths + 1 if now - process.started < QUICK_S else 0
        self.due = now + BACKOFF_S[min(self.young_deaths, len(BACKOFF_S) - 1)]
        self.slot[Cell.STATE] = State.ABSENT
        self.slot.add(Cell.RESTARTS)


class Standby:
    """A worker without a seat; it loads what answers and waits."""

    def __init__(self, process: Watched, slot: Slot) -> None:
        self.process = process
        self.slot = slot

    @classmethod
    def start(cls, server: ServerConfig, board: Board) -> Standby:
        """Start one."""
        config, file = _worker(server, -1)
        with file.open("ab") as log:
            child = start_worker(msgspec.structs.replace(config, standby=1), log, server.fds)
        slot = board.standby()
        slot.begin(child.pid)
        return cls(Watched(child.pid, child), slot)

    @classmethod
    def adopted(cls, board: Board, path: Path) -> Standby | None:
        """The one that another supervisor started and left behind without a seat, or None."""
        slot = board.standby()
        pid = slot[Cell.PID]
        seated = any(seat[Cell.PID] == pid for seat in board.slots())
        if slot[Cell.STATE] != State.STANDBY or seated or not is_server_process(pid, path):
            return None
        try:
            return cls(Watched(pid), slot)
        except ProcessLookupError:
            return None

    @property
    def ready(self) -> bool:
        """Whether it could take a seat now."""
        return self.slot[Cell.PID] == self.process.pid and self.slot[Cell.STATE] == State.STANDBY

    def dismiss(self) -> None:
        """End it."""
        self.process.send(signal.SIGTERM)


def adopted(seat: Seat, board: Path) -> Watched | None:
    """The worker that another supervisor put on this seat and left behind alive, or None."""
    pid = seat.slot[Cell.PID]
    if seat.slot[Cell.STATE] == State.ABSENT or not pid or not is_server_process(pid, board):
        return None
    try:
        seat.process = Watched(pid)
    except ProcessLookupError:
        return None
    seat.log = seat.slot[Cell.LOG]
    return seat.process


def free_log(seat: int, used: set[int]) -> int:
    """The number of a decision log that no living worker writes: the seat's own when it can be.

    Example:
        >>> free_log(1, {0}), free_log(0, {0, 1})
        (1, 2)
    """
    free = sorted(set(range(len(used) + 1)) - used)
    return seat if seat not in used else free[0]


def _worker(server: ServerConfig, number: int) -> tuple[WorkerConfig, Path]:
    space = Workspace(server.workspace)
    config = WorkerConfig(
        workspace=space.root,
        model=server.model,
        worker=number,
        fd=-1,
        board=space.run / "board",
        decisions=space.decisions,
        edge=int(server.edge >= 0),
        tls_cert=str(server.tls.cert) if server.tls else "",
        tls_key=str(server.tls.key) if server.tls else "",
        client_ca=str(server.tls.client_ca or "") if server.tls else "",
    )
    return config, space.run / (f"worker-{number}.log" if number >= 0 else "standby.log")
