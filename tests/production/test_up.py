"""`bluegold up` as a person uses it."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import httpx

from bluegold.production.operations.board import Board, Cell

BLUEGOLD = (sys.executable, "-m", "bluegold")
RUN = """
import sys, typer
from bluegold.cli.terminal import guarded
from bluegold.cli.up import up
app = typer.Typer()
app.command()(up)
sys.exit(guarded(app))
"""


def said(process: subprocess.Popen[bytes], pattern: str, seen: str = "") -> tuple[str, str]:
    """Wait for a line on stderr; the match and everything said so far."""
    assert process.stderr is not None
    deadline = time.monotonic() + 60
    while not (found := re.search(pattern, seen)):
        assert time.monotonic() < deadline, seen
        if select.select([process.stderr], [], [], 0.1)[0]:
            seen += os.read(process.stderr.fileno(), 4096).decode()
    return found.group(1), seen


def test_up_serves_shows_the_console_and_ends_with_ctrl_c(world: Any) -> None:
    world.promote("v1")
    command = [sys.executable, "-c", RUN, "--port", "0", "--workers", "1", "-w", str(world.workspace.root)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        url, seen = said(process, r"answers at (http://[\d.:]+)")
        console, seen = said(process, r"console at (http://[\d.:]+)", seen)
        assert httpx.post(f"{url}/v1/predict", json=world.parcel(1), timeout=20).status_code == 200
        assert "parcels" in httpx.get(console).text
        where = ["-w", str(world.workspace.root)]
        board = Board(world.workspace.run / "board")
        before = board.slot(0)[Cell.PID]
        done = subprocess.run([*BLUEGOLD, "reload", *where], capture_output=True, text=True, check=True)
        assert "every worker replaced" in done.stderr
        assert board.slot(0)[Cell.PID] != before
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        done = subprocess.run([*BLUEGOLD, "stop", *where], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "is not served" in done.stderr
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) != 0


def test_a_taken_port_ends_with_one_sentence(world: Any) -> None:
    world.promote("v1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-c", RUN, "--port", port, "-w", str(world.workspace.root)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"port {port} on 127.0.0.1 cannot be used" in done.stderr
    assert "Way out" in done.stderr
