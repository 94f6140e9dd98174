"""Echo servers of other projects, under their own supervisors, for `faults.py`.

Each lives in an environment of its own that is made on first use.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bluegold.production.operations.processes import Endpoint

__all__ = ["PEERS", "strike"]

ECHO = """
import os
ME = str(os.getpid()).encode()
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-length", b"2"), (b"x-process", ME)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})
"""
GRANIAN = ("-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--workers", "2")
UVICORN = ("-m", "uvicorn", "--host", "127.0.0.1", "--workers", "2", "--log-level", "error")

#: name -> packages of its environment, command without the port
PEERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "granian --respawn-failed-workers, worker killed": (("granian",), (*GRANIAN, "--respawn-failed-workers")),
    "uvicorn --workers 2, worker killed": (("uvicorn", "uvloop", "httptools"), UVICORN),
}


def strike(load: Any, until: Callable[..., float], row: Callable[..., list[Any]], times: int) -> list[list[Any]]:
    """Kill workers of every peer under the same load."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "echo.py").write_text(ECHO)
        for name, (packages, command) in PEERS.items():
            python = _environment(packages)
            with _served(python, command, Path(folder), until) as endpoint, load(endpoint) as found:
                back = [_kill(endpoint, until) for _ in range(times)]
            rows.append(row(name, [], back, found, "-"))
    return rows


def _kill(endpoint: Endpoint, until: Callable[..., float]) -> float:
    """Seconds from the kill until two processes answer again, none of them the killed one."""
    before = _processes(endpoint)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    took = until(lambda: len(_processes(endpoint) - {victim}) == 2)
    time.sleep(0.5)
    return took


def _processes(endpoint: Endpoint) -> set[int]:
    """The processes that answer new connections."""
    found = set()
    for _ in range(16):
        with contextlib.suppress(OSError), socket.create_connection((endpoint.host, endpoint.port), 2.0) as one:
            one.settimeout(2.0)
            one.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            said = one.recv(4096).lower()
            if b"x-process: " in said:
                found.add(int(said.partition(b"x-process: ")[2].partition(b"\r\n")[0]))
    return found


@contextlib.contextmanager
def _served(python: Path, command: tuple[str, ...], folder: Path, until: Callable[..., float]) -> Iterator[Endpoint]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = Endpoint(host="127.0.0.1", port=port, pid=0, model="echo", workers=2, board="")
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [python, *command, "--port", str(port), "echo:app"], cwd=folder, stdout=log, stderr=log
        ) as process,
    ):
        try:
            until(lambda: len(_processes(endpoint)) == 2)
            yield endpoint
        finally:
            process.terminate()


def _environment(packages: tuple[str, ...]) -> Path:
    """The interpreter of an environment that holds the packages."""
    folder = Path(tempfile.gettempdir()) / "envs" / f"faults-{packages[0]}"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
    return python
