"""Worker processes: starting one on its socket, and one pinned to a version for gates and probes."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from bluegold.core.errors import ServingError
from bluegold.core.workspace import Workspace
from bluegold.production.operations.board import Board, Cell, State
from bluegold.production.server import listen
from bluegold.production.tls import inside_connection
from bluegold.production.worker_config import WorkerConfig

__all__ = ["Endpoint", "end", "last_words", "pinned", "start_worker", "wait_ready"]

START_S = 30.0


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server answers.  ``pid`` is its supervisor (or the pinned worker itself).

    ``direct`` are the loopback ports of the single workers, where an edge stands before them; ``tls`` is the server's
    certificate when it ends TLS, ``keys`` the folder with the proof of the installation's own processes then.

    Example:
        >>> Endpoint(host="127.0.0.1", port=8080, pid=1, model="m", workers=2, board="run/board").url
        'http://127.0.0.1:8080'
    """

    host: str
    port: int
    pid: int
    model: str
    workers: int
    board: str
    direct: tuple[int, ...] = ()
    tls: str = ""
    keys: str = ""

    def connect(self, timeout: float, port: int = 0) -> http.client.HTTPConnection:
        """A connection of one of the installation's own processes, plain or TLS as the server is.

        Args:
            timeout: seconds for each step.
            port: one of the ports of single workers instead of the server's.
        """
        host = "127.0.0.1" if port in self.direct else self.host
        if self.tls:
            return inside_connection(host, port or self.port, Path(self.tls), Path(self.keys), timeout)
        return http.client.HTTPConnection(host, port or self.port, timeout=timeout)

    @property
    def url(self) -> str:
        """Base of every path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def start_worker(config: WorkerConfig, log: IO[bytes], listeners: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
    """Start a worker process; it inherits its listening socket (a standby: all of them) and nothing else."""
    return subprocess.Popen(
        config.arguments(),
        pass_fds=[fd for fd in (config.fd, *listeners) if fd >= 0],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,  # Ctrl-C reaches the supervisor, which then drains the workers
    )


def wait_ready(board: Board, process: subprocess.Popen[bytes], log: Path, timeout: float = START_S) -> None:
    """Wait until every worker of a board serves.

    Raises:
        ServingError: the process ended or took too long; the message ends with its last words.
    """
    deadline = time.monotonic() + timeout
    while not all(slot[Cell.STATE] in {State.READY, State.DEGRADED} for slot in board.slots()):
        if process.poll() is not None:
            raise ServingError("the server ended while starting", why=last_words(log), way_out=f"see '{log}'")
        if time.monotonic() > deadline:
            raise ServingError(
                f"the server did not become ready within {timeout:g} s", why=last_words(log), way_out=f"see '{log}'"
            )
        time.sleep(0.005)


def last_words(log: Path) -> str:
    """The last line a process wrote, without its time stamp."""
    with contextlib.suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines:
            return lines[-1].partition(" CRITICAL ")[2].partition(": ")[2] or lines[-1]
    return "it left no message"


@contextlib.contextmanager
def pinned(workspace: Workspace, ref: str) -> Iterator[Endpoint]:
    """A worker process of its own that serves one version, outside the traffic table and its statistics.

    Args:
        workspace: the workspace.
        ref: full reference of the version, for example ``flight-delays:v2``.

    Raises:
        ServingError: it cannot start.
    """
    workspace.run.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=workspace.run, prefix="pinned-"))
    try:
        [listener] = listen("127.0.0.1", 0, 1)
        with listener, (folder / "log").open("wb") as log:
            board = Board.create(folder / "board", workers=1)
            config = WorkerConfig(
                workspace=workspace.root,
                model=ref.rpartition(":")[0],
                worker=0,
                fd=listener.fileno(),
                board=folder / "board",
                decisions=folder / "decisions",
                pin=ref,
            )
            process = start_worker(config, log)
            try:
                wait_ready(board, process, folder / "log")
                host, port = listener.getsockname()[:2]
                yield Endpoint(
                    host=host, port=port, pid=process.pid, model=config.model, workers=1, board=str(folder / "board")
                )
            finally:
                end(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def end(process: subprocess.Popen[bytes], timeout: float = 10.0) -> None:
    """Ask a process to drain and end; make it end when it does not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
