"""The board: one shared-memory file where every worker shows its pulse and its counters.

Each worker owns one slot of 8-byte cells and is its only writer, so reading needs no lock: a reader sees
each cell before or after a change, never in between.  Counters outlive a restart of their worker, so the
sum over the slots only ever grows; that is why the metrics are read from here instead of from one process.

Every seat has a second slot, for the worker that is handing the seat over to its successor and still answers
what has begun; behind those lies the slot of the worker that stands by.  The head of the file belongs to the
supervisor and its deputy: their pulses, and what they were asked to do.
"""

from __future__ import annotations

import contextlib
import enum
import mmap
import os
import time
from bisect import bisect_left
from pathlib import Path

import msgspec

from bluegold.core.errors import ServingError
from bluegold.core.workspace import write_atomic

__all__ = ["BUCKETS_US", "Board", "Cell", "Head", "Slot", "State", "WorkerView"]

BUCKETS_US = (50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000)
"""Upper bounds of the latency histogram in microseconds; a last bucket counts what is slower."""

_MAGIC = 0x626C7565_676F6C64  # "bluegold"
_CELLS = 48
_BYTES = _CELLS * 8


class State(enum.IntEnum):
    """What a worker is doing."""

    ABSENT = 0
    STARTING = 1
    READY = 2
    DRAINING = 3
    DEGRADED = 4
    STANDBY = 5


class Head(enum.IntEnum):
    """Meaning of the head's cells."""

    MAGIC = 0
    WORKERS = 1
    LEADER = 2
    LEADER_NS = 3
    DEPUTY = 4
    DEPUTY_NS = 5
    RELOADS_ASKED = 6
    RELOADS_DONE = 7
    STOP_ASKED = 8
    STOPPED = 9
    TAKEOVERS = 10
    EDGE = 11
    SENTINEL = 12
    DRIFT = 13
    ANCHOR = 14


class Cell(enum.IntEnum):
    """Meaning of the cells of a slot; the latency histogram follows from ``LATENCY`` on."""

    PID = 0
    HEARTBEAT_NS = 1
    STARTED_NS = 2
    REVISION = 3
    STATE = 4
    RESTARTS = 5
    SUSPECTED = 6
    UNRECORDED_NS = 7
    REQUESTS = 8
    REFUSED = 9
    FAILED = 10
    DECISIONS = 11
    GOLD_DECISIONS = 12
    GOLD_ERRORS = 13
    KNOWN_ANSWERS = 14
    WRONG_ANSWERS = 15
    OUTCOMES = 16
    LATENCY_SUM_US = 17
    LATENCY = 18
    CONNECTIONS = 32
    TASKS = 33
    SEAT = 38
    SOCKET = 39
    LOG = 40
    LOADING = 41
    SHED = 42
    RETRIED = 43
    DOUBTED_NS = 45
    LOST_NS = 46
    READY_NS = 47


_LATENCY = int(Cell.LATENCY)


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """One worker as the board shows it.

    ``revision`` is the traffic revision it serves, -1 before the first; ``records`` says whether decisions can be
    made durable, without which none is answered.
    """

    worker: int
    pid: int
    state: str
    revision: int
    heartbeat_age_ms: float
    restarts: int
    requests: int
    failed: int
    records: bool = True


class Slot:
    """The cells of one worker.  Only that worker (and, for restarts, its supervisor) writes."""

    def __init__(self, cells: memoryview, number: int) -> None:
        self._cells = cells
        self.number = number

    def __getitem__(self, cell: Cell) -> int:
        return int(self._cells[cell])

    def __setitem__(self, cell: Cell, value: int) -> None:
        self._cells[cell] = value

    def add(self, cell: Cell, amount: int = 1) -> None:
        """Count."""
        self._cells[cell] += amount

    def observe(self, microseconds: int) -> None:
        """Count one latency into the histogram."""
        self._cells[Cell.LATENCY_SUM_US] += microseconds
        self._cells[_LATENCY + bisect_left(BUCKETS_US, microseconds)] += 1

    def beat(self) -> None:
        """Show that the event loop still turns."""
        self._cells[Cell.HEARTBEAT_NS] = time.monotonic_ns()

    def begin(self, pid: int) -> None:
        """Take the slot for a new process; counters go on, pulse and revision begin again."""
        self._cells[Cell.REVISION] = -1
        self._cells[Cell.STATE] = State.STARTING
        self._cells[Cell.UNRECORDED_NS] = self._cells[Cell.LOADING] = self._cells[Cell.SUSPECTED] = 0
        self._cells[Cell.STARTED_NS] = self._cells[Cell.HEARTBEAT_NS] = time.monotonic_ns()
        self._cells[Cell.PID] = pid

    def histogram(self) -> tuple[int, ...]:
        """Counts per latency bucket, the last one for everything slower than the last bound."""
        return tuple(self._cells[Cell.LATENCY : Cell.LATENCY + len(BUCKETS_US) + 1])


def _places(workers: int) -> int:
    """The head, two slots a seat, and the standby's."""
    return 2 + 2 * workers


class Board:
    """The mapped file.

    Example:
        >>> import tempfile
        >>> board = Board.create(Path(tempfile.mkdtemp()) / "board", workers=2)
        >>> board.slot(0).begin(pid=1)
        >>> board.slot(0).add(Cell.REQUESTS, 3)
        >>> [view.requests for view in board.views()]
        [3, 0]
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), 0)
        except (OSError, ValueError) as error:
            raise ServingError(
                f"no server shows itself at '{path}'", why=str(error), way_out="start one with 'bluegold up'"
            ) from error
        whole = len(self._map) - len(self._map) % 8
        self._cells = memoryview(self._map)[:whole].cast("q")
        if whole < _BYTES or self._cells[0] != _MAGIC or len(self._map) != _BYTES * _places(self._cells[1]):
            raise ServingError(f"'{path}' is not a board", way_out="stop the server, remove the file, start it again")
        self.workers = int(self._cells[Head.WORKERS])

    @classmethod
    def create(cls, path: Path, workers: int) -> Board:
        """Make an empty board for that many workers, replacing an old one."""
        head = memoryview(bytearray(_BYTES * _places(workers))).cast("q")
        head[Head.MAGIC], head[Head.WORKERS], head[Head.LEADER] = _MAGIC, workers, os.getpid()
        head[Head.LEADER_NS] = time.monotonic_ns()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, head.tobytes())
        return cls(path)

    def __getitem__(self, cell: Head) -> int:
        return int(self._cells[cell])

    def __setitem__(self, cell: Head, value: int) -> None:
        self._cells[cell] = value

    def slot(self, worker: int) -> Slot:
        """The slot of one worker, 0 to ``workers - 1``."""
        return self._slot(worker, worker)

    def leaving(self, worker: int) -> Slot:
        """Where the worker shows itself that has handed over this seat and still answers what has begun."""
        return self._slot(self.workers + worker, worker)

    def standby(self) -> Slot:
        """The slot of the worker that is ready to take any seat."""
        return self._slot(2 * self.workers, self.workers)

    def slots(self) -> tuple[Slot, ...]:
        """The slots of all seats in order."""
        return tuple(self.slot(worker) for worker in range(self.workers))

    def _slot(self, place: int, number: int) -> Slot:
        start = _CELLS * (1 + place)
        return Slot(self._cells[start : start + _CELLS], number)

    def views(self) -> tuple[WorkerView, ...]:
        """What every worker is doing at this moment."""
        now = time.monotonic_ns()
        return tuple(
            WorkerView(
                worker=slot.number,
                pid=slot[Cell.PID],
                state=State(slot[Cell.STATE]).name.lower(),
                revision=slot[Cell.REVISION],
                heartbeat_age_ms=round(max(0, now - slot[Cell.HEARTBEAT_NS]) / 1e6, 3),
                restarts=slot[Cell.RESTARTS],
                requests=slot[Cell.REQUESTS],
                failed=slot[Cell.FAILED],
                records=not slot[Cell.UNRECORDED_NS],
            )
            for slot in self.slots()
        )

    def applied(self, revision: int) -> bool:
        """Whether every worker is up and serves ``revision`` or a later one."""
        return all(
            slot[Cell.STATE] in {State.READY, State.DEGRADED} and slot[Cell.REVISION] >= revision
            for slot in self.slots()
        )

    def wait_applied(self, revision: int, timeout: float = 5.0) -> bool:
        """Wait until every worker serves ``revision``; False when ``timeout`` seconds were not enough."""
        deadline = time.monotonic() + timeout
        while not self.applied(revision):
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.002)
        return True

    def close(self) -> None:
        """Let go of the memory."""
        self._cells.release()
        with contextlib.suppress(BufferError):  # a slot that is still held keeps the map alive until it goes
            self._map.close()
