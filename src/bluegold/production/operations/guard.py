"""The guard: keeps the workers of one server alive.

A death is seen at once through the process's pidfd, a hang through the pulse that every worker shows on the
board.  A standby takes the seat of a lost worker within milliseconds.  A worker without pulse is suspected first
(the health view says so) and replaced when it stays silent for longer than its condition excuses.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial

from bluegold.core.workspace import Workspace
from bluegold.production.operations.board import Board, Cell, Head, State
from bluegold.production.operations.companions import Companion
from bluegold.production.operations.patience import Patience, condition
from bluegold.production.operations.reloading import reload
from bluegold.production.operations.seats import Seat, Standby, adopted, free_log
from bluegold.production.operations.server_config import ServerConfig
from bluegold.production.operations.watched import Watched
from bluegold.telemetry.log import Log

__all__ = ["Guard"]

_LOG = Log("supervisor")

TICK_S = 0.01
STANDBY_AFTER_S = 0.5
DRAIN_S = 10.0
_DONE = object()


def _go_first() -> None:
    """Be scheduled before the workers where that is allowed: this process sleeps but when one of them is lost."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))


class Guard:
    """Staffs one seat for each listening socket and keeps it staffed until told to stop.

    Args:
        server: what is served, and how.
        adopt: take over the workers that a supervisor before this one left behind.
    """

    def __init__(self, server: ServerConfig, *, adopt: bool = False) -> None:
        path = Workspace(server.workspace).run / "board"
        self.server = server
        self.board = Board(path) if adopt else Board.create(path, len(server.fds))
        self.seats = [Seat(server, self.board, number) for number in range(len(server.fds))]
        self.standby: Standby | None = None
        self._patience = Patience.scaled(server.patience)
        self._selector = selectors.DefaultSelector()
        self._leaving: list[tuple[Watched, int, float]] = []
        self._companions: list[Companion] = []
        self._stopping = False
        self._whole_since = time.monotonic()
        self._standby_due = 0.0
        self._reloading: Iterator[object] | None = None
        self._terminal = False
        if adopt:
            for seat in self.seats:
                if process := adopted(seat, path):
                    self.watch(process, partial(self._died, seat))
            if standby := Standby.adopted(self.board, path):
                self._keep(standby)

    def accompany(self, companion: Companion) -> None:
        """Keep another process alive beside the workers."""
        self._companions.append(companion)

    def run(self) -> None:
        """Guard until SIGTERM, SIGINT or an order on the board, then let every worker drain.  SIGHUP reloads."""
        reader, writer = socket.socketpair()
        with reader, writer, contextlib.ExitStack() as undo:
            writer.setblocking(False)
            undo.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(writer.fileno()))
            handlers = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGHUP: self._hup}
            for number, handler in handlers.items():
                undo.callback(signal.signal, number, signal.signal(number, handler))
            self._selector.register(reader, selectors.EVENT_READ, lambda: reader.recv(64))
            if self.server.follow:
                self._follow(undo)
            _go_first()
            try:
                self._guard()
            finally:
                self._drain()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _hup(self, *_: object) -> None:
        """Reload; but the hang-up of the terminal that this process was started from is its end."""
        if self._terminal and not os.isatty(0):
            self._stopping = True
        else:
            self.board[Head.RELOADS_ASKED] += 1

    def _follow(self, undo: contextlib.ExitStack) -> None:
        try:
            starter = os.pidfd_open(self.server.follow)
        except ProcessLookupError:
            self._starter_gone()
            return
        undo.callback(os.close, starter)
        self._selector.register(starter, selectors.EVENT_READ, self._starter_gone)

    def _starter_gone(self) -> None:
        _LOG.warning("the process that started this server is gone: stopping")
        self._stopping = True

    def _guard(self) -> None:
        self._terminal = os.isatty(0)
        last = time.monotonic()
        while not self._stopping:
            for key, _ in self._selector.select(TICK_S):
                key.data()
            now = time.monotonic()
            late, last = now - last > 5 * TICK_S, now
            self.board[Head.LEADER_NS] = time.monotonic_ns()
            self._staff(now)
            if not late:  # who was late himself cannot judge others
                self._feel_pulses()
            for companion in self._companions:
                companion.tend(now, self._whole_since, self.watch)
            self._obey()

    def _staff(self, now: float) -> None:
        """Fill vacant seats, keep a standby, let go of those who have left."""
        for seat in self.seats:
            if seat.process is None:
                self.staff(seat, now)
        if not all(seat.serving for seat in self.seats):
            self._whole_since = now
        wanted = self.server.standby and now - self._whole_since >= STANDBY_AFTER_S and now >= self._standby_due
        if self.standby is None and wanted:
            self.fetch_standby()
        for process, _, until in self._leaving:
            if now > until:
                process.send(signal.SIGKILL)

    def staff(self, seat: Seat, now: float) -> None:
        """Put the standby on a vacant seat, or start a worker for it when that is due."""
        log = free_log(seat.number, self._logs())
        if self.standby is not None and self.standby.ready:
            standby, self.standby = self.standby, None
            self.watch(seat.give(standby, log), lambda: self._died(seat))
        elif now >= seat.due:
            self.watch(seat.start(log), lambda: self._died(seat))

    def fetch_standby(self) -> Standby:
        """Start a worker that stands by."""
        return self._keep(Standby.start(self.server, self.board))

    def _keep(self, standby: Standby) -> Standby:
        self.standby = standby
        self.watch(standby.process, lambda: self._standby_died(standby))
        return standby

    def retire(self, seat: Seat) -> Watched | None:
        """Take its worker off a seat, to answer what it has begun."""
        process = seat.leave()
        if process is not None:
            self.watch(process, lambda: self._left(process))
            self._leaving.append((process, seat.log, time.monotonic() + 3 * DRAIN_S))
        return process

    def _logs(self) -> set[int]:
        return {seat.log for seat in self.seats if seat.process is not None} | {log for _, log, _ in self._leaving}

    def watch(self, process: Watched, on_death: Callable[[], object]) -> None:
        """Be told at once when a process ends; a second call replaces the first."""

        def ended() -> None:
            self._selector.unregister(process.pidfd)
            on_death()

        if process.pidfd in self._selector.get_map():
            self._selector.unregister(process.pidfd)
        self._selector.register(process.pidfd, selectors.EVENT_READ, ended)

    def _died(self, seat: Seat) -> None:
        process = seat.process
        if process is None:
            return
        seat.bury()
        wait = max(0.0, seat.due - time.monotonic())
        self.staff(seat, time.monotonic())
        _LOG.error("worker died", worker=seat.number, process=process.pid, next_start_s=round(wait, 1))

    def _standby_died(self, standby: Standby) -> None:
        standby.process.bury()
        if self.standby is standby:
            self.standby = None
            self._standby_due = time.monotonic() + 1.0
            _LOG.warning("the standby died", process=standby.process.pid)

    def _left(self, process: Watched) -> None:
        process.bury()
        self._leaving = [one for one in self._leaving if one[0] is not process]

    def _feel_pulses(self) -> None:
        now = time.monotonic_ns()
        silent = [seat for seat in self.seats if seat.process is not None and self._is_silent(seat, now)]
        together = len(silent) == len(self.seats) > 1
        for seat in silent:
            slot, process = seat.slot, seat.process
            age = now - slot[Cell.HEARTBEAT_NS]
            if process is None:
                continue
            if not slot[Cell.SUSPECTED]:
                slot[Cell.SUSPECTED] = slot[Cell.DOUBTED_NS] = now
                _LOG.warning("worker shows no pulse", worker=seat.number, ms=round(age / 1e6))
            found = condition(process.pid)
            excused = slot[Cell.LOADING] or slot[Cell.STATE] in {State.STARTING, State.DRAINING}
            limit = self._patience.loading if excused and found != "stopped" else self._patience.limit(found)
            if together and found == "asleep":  # rather the machine than every worker at the same moment
                limit = self._patience.busy
            if age > limit:
                _LOG.error("worker hangs: replaced", worker=seat.number, ms=round(age / 1e6), condition=found)
                process.send(signal.SIGKILL)

    def _is_silent(self, seat: Seat, now: int) -> bool:
        slot = seat.slot
        silent = now - slot[Cell.HEARTBEAT_NS] > self._patience.suspect
        if silent and slot[Cell.STATE] == State.STARTING:
            silent = now - slot[Cell.HEARTBEAT_NS] > self._patience.loading
        if not silent and slot[Cell.SUSPECTED]:
            slot[Cell.SUSPECTED] = 0
        return silent

    def _obey(self) -> None:
        """Do what was asked for on the board."""
        if self.board[Head.STOP_ASKED]:
            self._stopping = True
        if self._reloading is None and self.board[Head.RELOADS_ASKED] > self.board[Head.RELOADS_DONE]:
            self._reloading = reload(self)
        if self._reloading is not None and next(self._reloading, _DONE) is _DONE:
            self._reloading = None
            self.board[Head.RELOADS_DONE] = self.board[Head.RELOADS_ASKED]

    def _drain(self) -> None:
        self.board[Head.STOP_ASKED] = 1  # whoever takes over from here stops, too
        for companion in reversed(self._companions):  # the deputy first: nobody is to take a slow end for a hang
            companion.ask_to_end()
        for companion in reversed(self._companions):
            companion.end()
        everyone = [seat.process for seat in self.seats if seat.process is not None]
        everyone += [process for process, _, _ in self._leaving]
        if self.standby is not None:
            everyone.append(self.standby.process)
        for process in everyone:
            process.send(signal.SIGTERM)
        deadline = time.monotonic() + DRAIN_S
        for process in everyone:
            process.end(max(0.1, deadline - time.monotonic()))
        for seat in self.seats:
            seat.slot[Cell.STATE] = State.ABSENT
        self.board[Head.STOPPED] = 1
        self._selector.close()
