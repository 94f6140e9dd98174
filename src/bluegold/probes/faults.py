"""Killing workers of the scratch server: how fast that is noticed, and how fast capacity is back."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from bluegold.probes.bench import Bench, NotMeasured
from bluegold.probes.client import example, post
from bluegold.production.operations.board import Board, Cell, State

__all__ = ["KILLS", "kills"]

KILLS = 3
LIMIT_S = 30.0


def kills(bench: Bench) -> list[tuple[float, float]]:
    """(seconds to notice, seconds to full capacity) of each kill; done once a bench.

    Raises:
        NotMeasured: capacity did not come back.
    """
    if bench.kills:
        return bench.kills
    scratch = bench.scratch()
    body = example(bench)
    board = Board(Path(scratch.endpoint.board))
    found = []
    for number in range(KILLS):
        slot = board.slot(number % scratch.endpoint.workers)
        before, pid = slot[Cell.RESTARTS], slot[Cell.PID]
        began = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        while slot[Cell.RESTARTS] == before and time.perf_counter() - began < LIMIT_S:
            time.sleep(0.0002)
        noticed = time.perf_counter() - began
        while not all(one[Cell.STATE] == State.READY for one in board.slots()):
            if time.perf_counter() - began > LIMIT_S:
                raise NotMeasured(f"the killed worker was not replaced within {LIMIT_S:g} s")
            time.sleep(0.001)
        status, _ = post(scratch.endpoint, "/v1/predict", body)
        if status != 200:
            raise NotMeasured(f"after the replacement the server answered {status}")
        found.append((noticed, time.perf_counter() - began))
    board.close()
    bench.kills = found
    return found
