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
from bluegold.production.kept import served
from bluegold.production.operations.board import Board, Head
from bluegold.production.operations.deputy import is_needed
from bluegold.production.operations.guard import Guard
from bluegold.production.operations.processes import Endpoint, end, last_words, wait_ready
from bluegold.production.operations.retinue import companions
from bluegold.production.operations.server_config import ServerConfig
from bluegold.production.operations.watched import alive
from bluegold.production.server import listen
from bluegold.production.tls import ServerTls, Tls
from bluegold.telemetry.log import Log, configure

__all__ = ["Supervisor", "main", "reload", "run", "running", "sockets", "stop"]

_LOG = Log("supervisor")

STOP_S = 15.0
TAKEOVER_S = 1.0


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
        self, workspace: Workspace, model: str, port: int = 0, workers: int = 2, host: str = "127.0.0.1", *options: str
    ) -> None:
        self._workspace = workspace
        self._log = workspace.run / "supervisor.log"
        self._options = ["--model", model, "--port", str(port), "--workers", str(workers), "--host", host, *options]
        self._process: subprocess.Popen[bytes] | None = None
        self._serves = False

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
            self._serves = True
            wait_ready(Board(Path(endpoint.board)), self._process, self._log, timeout)
        except BaseException:
            self.stop()
            raise
        return endpoint

    def stop(self) -> None:
        """Drain and end, whoever leads the server by now; stopping twice is fine."""
        if self._process is None:
            return
        if self._serves:
            stop(self._workspace)
        end(self._process, timeout=STOP_S)
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
    """The server that serves this workspace now, or None.  While a deputy takes over, it is waited for."""
    deadline = time.monotonic() + TAKEOVER_S
    while not _is_led(workspace):
        board = _board(workspace)
        if board is None or board[Head.STOPPED] or not alive(board[Head.DEPUTY]) or time.monotonic() > deadline:
            return None
        time.sleep(0.005)
    try:
        return msgspec.json.decode((workspace.run / "supervisor.json").read_bytes(), type=Endpoint)
    except (OSError, msgspec.DecodeError):
        return None


def _is_led(workspace: Workspace) -> bool:
    """Whether a supervisor holds the lock of this workspace."""
    try:
        with (workspace.run / "supervisor.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # whoever gets it: nobody is serving
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _board(workspace: Workspace) -> Board | None:
    try:
        return Board(workspace.run / "board")
    except ServingError:
        return None


def stop(workspace: Workspace, timeout: float = STOP_S) -> bool:
    """Stop the server of a workspace, whichever supervisor leads it, and wait until it has drained.

    Returns:
        whether it ended by itself within ``timeout`` seconds; otherwise its supervisors were ended.
    """
    board = _board(workspace)
    if board is None:
        return True
    board[Head.STOP_ASKED] = 1
    deadline = time.monotonic() + timeout
    while alive(board[Head.LEADER]) or (not board[Head.STOPPED] and alive(board[Head.DEPUTY])):
        if time.monotonic() > deadline:
            for supervisor in (board[Head.DEPUTY], board[Head.LEADER]):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(supervisor, 9)
            return False
        time.sleep(0.002)
    return True


def reload(workspace: Workspace, timeout: float = 120.0) -> float:
    """Replace every worker of the running server by a fresh one, without a gap.

    Returns:
        seconds until all were replaced.

    Raises:
        ServingError: no server runs, or it did not finish in time.
    """
    board = _board(workspace)
    if board is None or running(workspace) is None:
        raise ServingError(f"workspace '{workspace.root}' is not served", way_out="start it with 'bluegold up'")
    began = time.monotonic()
    board[Head.RELOADS_ASKED] += 1
    wanted = board[Head.RELOADS_ASKED]
    while board[Head.RELOADS_DONE] < wanted:
        if time.monotonic() - began > timeout or running(workspace) is None:
            raise ServingError(
                "the server did not finish reloading",
                why=f"{time.monotonic() - began:.0f} s have passed",
                way_out="look at run/supervisor.log, run/standby.log and run/worker-*.log in the workspace",
            )
        time.sleep(0.005)
    return time.monotonic() - began


def run(
    server: ServerConfig,
    listeners: list[socket.socket],
    *,
    front: socket.socket | None = None,
    adopt: bool = False,
    on_start: Callable[[Endpoint], None] | None = None,
) -> None:
    """Serve in this process until SIGTERM or SIGINT.

    Args:
        server: what to serve, and how.
        listeners: one listening socket for each worker, see :func:`~bluegold.production.server.listen`.
        front: the public listening socket of an edge; the workers' own are on loopback then.
        adopt: go on where another supervisor stopped, with its workers.
        on_start: told where the server answers.

    Raises:
        ServingError: a server of this workspace runs already.
        WorkspaceError: the workspace cannot be written.
    """
    workspace = Workspace(server.workspace)
    if server.tls is not None:
        ServerTls(server.tls, workspace.keys)  # says what is wrong with the files before anybody is started
    server = msgspec.structs.replace(
        server, fds=tuple(listener.fileno() for listener in listeners), edge=front.fileno() if front else -1
    )
    try:
        with _alone(workspace):
            guard = Guard(server, adopt=adopt)
            endpoint = _endpoint(server, listeners, front)
            write_atomic(workspace.run / "supervisor.json", msgspec.json.encode(endpoint))
            guard.board[Head.LEADER] = os.getpid()
            guard.board[Head.DEPUTY] = 0
            for companion in companions(server, endpoint, guard.board):
                guard.accompany(companion)
            try:
                if on_start:
                    on_start(endpoint)
                guard.run()
            finally:
                (workspace.run / "supervisor.json").unlink(missing_ok=True)
    finally:
        for listener in [*listeners, *([front] if front else [])]:
            listener.close()


def sockets(
    host: str, port: int, workers: int, *, edge: bool = False
) -> tuple[list[socket.socket], socket.socket | None]:
    """The listening sockets of a server: one a worker, and the edge's when there is one.

    Raises:
        ServingError: the port is taken or may not be used.
    """
    if not edge:
        return listen(host, port, workers), None
    [front] = listen(host, port, 1)
    return [listen("127.0.0.1", 0, 1)[0] for _ in range(workers)], front


def _endpoint(server: ServerConfig, listeners: list[socket.socket], front: socket.socket | None) -> Endpoint:
    host, port = (front or listeners[0]).getsockname()[:2]
    return Endpoint(
        host=host,
        port=port,
        pid=os.getpid(),
        model=server.model,
        workers=len(listeners),
        board=str(Workspace(server.workspace).run / "board"),
        direct=tuple(listener.getsockname()[1] for listener in listeners) if front else (),
        tls=str(server.tls.cert) if server.tls else "",
        keys=str(Workspace(server.workspace).keys) if server.tls else "",
    )


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


def _stand_in(told: str) -> None:
    """Wait as a deputy, and lead when that is needed."""
    server = ServerConfig.read(told)
    board = Board(Workspace(server.workspace).run / "board")
    listeners = [socket.socket(fileno=fd) for fd in server.fds]
    front = socket.socket(fileno=server.edge) if server.edge >= 0 else None
    if is_needed(server, board):
        board[Head.TAKEOVERS] += 1
        _LOG.error("the supervisor died: its deputy leads now", dead=server.leader, process=os.getpid())
        run(server, listeners, front=front, adopt=True)


def _tls(given: argparse.Namespace) -> Tls | None:
    if given.tls_cert is None or given.tls_key is None:
        return None
    return Tls(cert=given.tls_cert, key=given.tls_key, client_ca=given.client_ca)


def main(argv: list[str] | None = None) -> int:
    """Entry point of the process."""
    parser = argparse.ArgumentParser(prog="bluegold.production.operations.supervisor")
    parser.add_argument("--deputy", default="")
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--follow", type=int, default=0)
    parser.add_argument("--patience", type=float, default=1.0)
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--edge", action="store_true")
    parser.add_argument("--sentinel", type=float, default=0.0)
    parser.add_argument("--drift", type=float, default=0.0)
    parser.add_argument("--anchor", type=float, default=45.0)
    for name in ("--tls-cert", "--tls-key", "--client-ca"):
        parser.add_argument(name, type=lambda text: Path(text).absolute())
    given = parser.parse_args(argv)
    configure("info")
    try:
        if given.deputy:
            _stand_in(given.deputy)
            return 0
        server = ServerConfig(
            workspace=served(given.workspace).root,
            model=given.model,
            follow=given.follow,
            patience=given.patience,
            standby=not given.alone,
            deputy=not given.alone,
            sentinel=given.sentinel,
            drift=given.drift,
            anchor=given.anchor,
            tls=_tls(given),
        )
        listeners, front = sockets(given.host, given.port, given.workers, edge=given.edge)
        run(server, listeners, front=front)
    except BluegoldError as error:
        _LOG.critical(str(error))
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
