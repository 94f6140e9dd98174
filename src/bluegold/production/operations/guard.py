"""The guard: keeps the workers of one server alive.

A death is seen at once through the process's pidfd; a hang through the pulse that every worker shows on the
board.  A worker without pulse is suspected first (the health view says so) and killed only when it stays
silent: a machine under load must not lose healthy workers.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import time
from pathlib import Path

from bluegold.core.workspace import Workspace
from bluegold.production.operations.board import Board, Cell, Slot, State
from bluegold.production.operations.processes import start_worker
from bluegold.production.worker_config import WorkerConfig
from bluegold.telemetry.log import Log

__all__ = ["Guard"]

_LOG = Log("supervisor")

TICK_S = 0.02
SUSPECT_NS = 100_000_000
HANG_NS = 1_000_000_000
START_NS = 30_000_000_000
QUICK_S = 2.0
BACKOFF_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)


class _Watched:
    """One worker: its process, and how often it died young."""

    def __init__(self, config: WorkerConfig, slot: Slot, log: Path) -> None:
        self.config = config
        self.slot = slot
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.pidfd = -1
        self.young_deaths = 0
        self.started = 0.0
        self.due = 0.0

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = start_worker(self.config, log)
        self.slot.begin(self.process.pid)
        self.pidfd = os.pidfd_open(self.process.pid)
        self.started = time.monotonic()

    def bury(self) -> None:
        """Take note of the death and of when the next start is due."""
        now = time.monotonic()
        if self.process is not None:
            self.process.wait()
        os.close(self.pidfd)
        self.process, self.pidfd = None, -1
        self.young_deaths = self.young_deaths + 1 if now - self.started < QUICK_S else 0
        self.due = now + BACKOFF_S[min(self.young_deaths, len(BACKOFF_S) - 1)]
        self.slot[Cell.STATE] = State.ABSENT
        self.slot.add(Cell.RESTARTS)


class Guard:
    """Starts one worker for each listening socket and keeps them alive until told to stop.

    Args:
        workspace: the workspace that is served.
        model: the model that is served.
        listeners: one listening socket for each worker; they stay open here across restarts.
        follow: end when this parent process is gone; 0 for no parent.
    """

    def __init__(self, workspace: Workspace, model: str, listeners: list[socket.socket], follow: int = 0) -> None:
        self.board = Board.create(workspace.run / "board", len(listeners))
        self._follow = follow
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._workers = [
            _Watched(
                WorkerConfig(
                    workspace=workspace.root,
                    model=model,
                    worker=number,
                    fd=listener.fileno(),
                    board=workspace.run / "board",
                    decisions=workspace.decisions,
                ),
                self.board.slot(number),
                workspace.run / f"worker-{number}.log",
            )
            for number, listener in enumerate(listeners)
        ]

    def run(self) -> None:
        """Guard until SIGTERM or SIGINT, then let every worker drain."""
        reader, writer = socket.socketpair()
        with reader, writer, contextlib.ExitStack() as undo:
            writer.setblocking(False)
            undo.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(writer.fileno()))
            for number in (signal.SIGTERM, signal.SIGINT):
                undo.callback(signal.signal, number, signal.signal(number, self._stop))
            self._selector.register(reader, selectors.EVENT_READ)
            for worker in self._workers:
                self._start(worker)
            try:
                self._watch(reader)
            finally:
                self._drain()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _watch(self, reader: socket.socket) -> None:
        last = time.monotonic()
        while not self._stopping:
            for key, _ in self._selector.select(TICK_S):
                if key.fileobj is reader:
                    reader.recv(64)
                else:
                    self._died(key.data)
            now = time.monotonic()
            late, last = now - last > 5 * TICK_S, now
            for worker in self._workers:
                if worker.process is None and now >= worker.due:
                    self._start(worker)
                elif worker.process is not None and not late:  # who was late himself cannot judge others
                    self._feel_pulse(worker)
            if self._follow and os.getppid() != self._follow:
                _LOG.warning("the process that started this server is gone: stopping")
                return

    def _start(self, worker: _Watched) -> None:
        worker.start()
        self._selector.register(worker.pidfd, selectors.EVENT_READ, worker)

    def _died(self, worker: _Watched) -> None:
        self._selector.unregister(worker.pidfd)
        pid = worker.process.pid if worker.process else 0
        worker.bury()
        wait = max(0.0, worker.due - time.monotonic())
        _LOG.error("worker died", worker=worker.slot.number, process=pid, next_start_s=round(wait, 1))

    def _feel_pulse(self, worker: _Watched) -> None:
        slot = worker.slot
        age = time.monotonic_ns() - slot[Cell.HEARTBEAT_NS]
        starting = slot[Cell.STATE] == State.STARTING
        if age <= SUSPECT_NS or starting:
            slot[Cell.SUSPECTED] = 0
        elif not slot[Cell.SUSPECTED]:
            slot[Cell.SUSPECTED] = time.monotonic_ns()
            _LOG.warning("worker shows no pulse", worker=slot.number, ms=round(age / 1e6))
        if age > (START_NS if starting else HANG_NS) and worker.process is not None:
            _LOG.error("worker hangs: killed", worker=slot.number)
            worker.process.kill()

    def _drain(self) -> None:
        for worker in self._workers:
            if worker.process is not None:
                worker.process.terminate()
        deadline = time.monotonic() + 10.0
        for worker in self._workers:
            if worker.process is None:
                continue
            try:
                worker.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            os.close(worker.pidfd)
            worker.slot[Cell.STATE] = State.ABSENT
        self._selector.close()
