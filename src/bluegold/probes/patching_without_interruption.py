"""SEC-3: patching without interrupting pipeline operation."""

from __future__ import annotations

import os
import signal
import time

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.faults import LIMIT_S, whole
from bluegold.probes.instruments.load import Load
from bluegold.probes.scratch import NotMeasured, Scratch
from bluegold.production.operations.board import Cell

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "SEC-3"


def measure(bench: Bench) -> Evidence:
    """Replace every serving process, one after the other, under load; no request may fail.

    A new process starts from the code on the disk, which is how a patch takes effect.

    Raises:
        NotMeasured: nothing is in production, or a worker was not replaced.
    """
    scratch = bench.scratch()
    with Load(bench, keep=False) as load:
        time.sleep(0.1)
        began = time.perf_counter()
        for worker in range(scratch.endpoint.workers):
            _replace(scratch, worker)
        took = time.perf_counter() - began
        time.sleep(0.1)
    total = len(load.answered) + len(load.failed)
    slowest = max((one.answered_at - one.asked_at for one in load.answered), default=0) / 1e6
    said = f"{len(load.failed)} failed, first {load.failed[0]}" if load.failed else "none failed"
    return bench.evidence(
        REQUIREMENT,
        not load.failed and total > 0,
        samples=total,
        method=f"{scratch.endpoint.workers} workers replaced one by one in {took:.1f} s while {total:,} requests came, "
        f"each on a connection of its own: {said}; the slowest waited {slowest:.2f} s",
        artefact="run/board",
    )


def _replace(scratch: Scratch, worker: int) -> None:
    slot = scratch.board.slot(worker)
    before = slot[Cell.RESTARTS]
    os.kill(slot[Cell.PID], signal.SIGTERM)
    end = time.perf_counter() + LIMIT_S
    while slot[Cell.RESTARTS] == before:
        if time.perf_counter() > end:
            raise NotMeasured(f"worker {worker} did not end within {LIMIT_S:g} s of being asked to")
        time.sleep(0.001)
    whole(scratch)
