"""The supervisor: one server of a workspace, as a library and as a process of its own.

``python -m bluegold.production.operations.supervisor --workspace W --model M`` is what :class:`Supervisor` starts.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import msgspec

from bluegold.core.errors import BluegoldError, ServingError, WorkspaceError
from bluegold.core.workspace import Workspace, write_atomic
from bluegold.production.operations.board import Board
from bluegold.production.operations.guard import Guard
from bluegold.production.operations.processes import Endpoint, end, last_words, wait_ready
from bluegold.production.server import listen
from bluegold.telemetry.log import Log, configure

__all__ = ["Supervisor", "main", "run", "running"]


class Supervisor:
    """Starts a server as a child process and stops it again.

    Args:
        workspace: the workspace to serve.
        model: the model to serve.
        port: port, 0 for any free one.
        workers: worker processes.
        host: address; loopback by default.

    Example::

        with Supervisor(workspace, "flight-delays", workers=2) as endpoint:
            httpx.post(endpoint.url + "/v1/predict", json=row)
    """

    def __init__(
        self, workspace: Workspace, model: str, port: int = 0, workers: int = 2, host: str = "127.0.0.1"
    ) -> None:
        self._workspace = workspace
        self._log = workspace.run / "supervisor.log"
        self._options = ["--model", model, "--port", str(port), "--workers", str(workers), "--host", host]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, timeout: float = 30.0) -> Endpoint:
        """Start and wait until every worker serves; the server ends with this process.

        Raises:
            ServingError: the port is taken, a server of this workspace runs already, or it does not start.
        """
        self._workspace.run.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "bluegold.production.operations.supervisor"]
        command += ["--workspace", str(self._workspace.root), "--follow", str(os.getpid()), *self._options]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            endpoint = self._appear(time.monotonic() + timeout)
            wait_ready(Board(Path(endpoint.board)), self._process, self._log, timeout)
        except BaseException:
            self.stop()
            raise
        return endpoint

    def stop(self) -> None:
        """Drain and end; stopping twice is fine."""
        if self._process is not None:
            end(self._process, timeout=15.0)
            self._process = None

    def __enter__(self) -> Endpoint:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _appear(self, deadline: float) -> Endpoint:
        process = self._process
        while process is not None and time.monotonic() < deadline:
            endpoint = running(self._workspace)
            if endpoint is not None and endpoint.pid == process.pid:
                return endpoint
            if process.poll() is not None:
                words = last_words(self._log)
                what, _, way_out = words.rstrip(".").partition(". Way out: ")
                raise ServingError(what, way_out=way_out or f"see '{self._log}'")
            time.sleep(0.01)
        raise ServingError("the server does not start", why=last_words(self._log), way_out=f"see '{self._log}'")


def running(workspace: Workspace) -> Endpoint | None:
    """The server that serves this workspace now, or None."""
    try:
        with (workspace.run / "supervisor.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # whoever gets it: nobody is serving
        return None
    except BlockingIOError:
        pass
    except OSError:
        return None
    try:
        return msgspec.json.decode((workspace.run / "supervisor.json").read_bytes(), type=Endpoint)
    except (OSError, msgspec.DecodeError):
        return None


def run(
    workspace: Workspace,
    model: str,
    listeners: list[socket.socket],
    *,
    follow: int = 0,
    on_start: Callable[[Endpoint], None] | None = None,
) -> None:
    """Serve in this process until SIGTERM or SIGINT.

    Args:
        workspace: the workspace to serve.
        model: the model to serve.
        listeners: one listening socket for each worker, see :func:`~bluegold.production.server.listen`.
        follow: end when this parent process is gone; 0 for no parent.
        on_start: told where the server answers.

    Raises:
        ServingError: a server of this workspace runs already.
        WorkspaceError: the workspace cannot be written.
    """
    host, port = listeners[0].getsockname()[:2]
    try:
        with _alone(workspace):
            guard = Guard(workspace, model, listeners, follow)
            endpoint = Endpoint(
                host=host,
                port=port,
                pid=os.getpid(),
                model=model,
                workers=len(listeners),
                board=str(workspace.run / "board"),
            )
            write_atomic(workspace.run / "supervisor.json", msgspec.json.encode(endpoint))
            try:
                if on_start:
                    on_start(endpoint)
                guard.run()
            finally:
                (workspace.run / "supervisor.json").unlink(missing_ok=True)
    finally:
        for listener in listeners:
            listener.close()


@contextlib.contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    """Hold the lock that only one server of a workspace can have."""
    try:
        workspace.run.mkdir(parents=True, exist_ok=True)
        lock = (workspace.run / "supervisor.lock").open("ab")
    except OSError as error:
        raise WorkspaceError(
            f"workspace '{workspace.root}' cannot be served", why=str(error), way_out="fix its owner or rights"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            found = running(workspace)
            where = f" at {found.url} (process {found.pid})" if found else ""
            raise ServingError(
                f"workspace '{workspace.root}' is served already{where}", way_out="stop that server first"
            ) from error
        yield


def main(argv: list[str] | None = None) -> int:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="bluegold.production.operations.supervisor")
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--follow", type=int, default=0)
    given = parser.parse_args(argv)
    configure("info")
    try:
        space = Workspace.open(given.workspace)
        run(space, given.model, listen(given.host, given.port, given.workers), follow=given.follow)
    except BluegoldError as error:
        Log("supervisor").critical(str(error))
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
