"""Faults: workers of the scratch server killed under load; what was noticed, restored, answered and lost."""

from __future__ import annotations

import os
import signal
import time

import msgspec

from bluegold.probes.bench import Bench
from bluegold.probes.instruments.load import Answered, Load
from bluegold.probes.scratch import NotMeasured, Scratch
from bluegold.production.operations.board import Cell, State

__all__ = ["Drill", "Kill", "drill", "whole"]

KILLS = 2
LIMIT_S = 30.0


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """One killed worker.

    ``noticed_s`` seconds passed until the supervisor had recorded it, ``restored_s`` until all workers served again;
    ``carried`` requests were made and answered by the others in between.
    """

    noticed_s: float
    restored_s: float
    carried: int


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.  ``failed`` counts requests that got no answer, as those in flight in a killed worker do."""

    kills: tuple[Kill, ...]
    answered: tuple[Answered, ...]
    failed: int


def drill(bench: Bench) -> Drill:
    """Kill workers one after the other under load; use it through ``bench.once``.

    Raises:
        NotMeasured: capacity did not come back.
    """
    scratch = bench.scratch()
    with Load(bench) as load:
        kills = []
        for number in range(KILLS):
            time.sleep(0.1)
            kills.append(_kill(scratch, number % scratch.endpoint.workers, load))
    return Drill(kills=tuple(kills), answered=tuple(load.answered), failed=len(load.failed))


def _kill(scratch: Scratch, worker: int, load: Load) -> Kill:
    slot = scratch.board.slot(worker)
    before, pid = slot[Cell.RESTARTS], slot[Cell.PID]
    began = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    killed = time.time_ns() // 1000
    while slot[Cell.RESTARTS] == before:
        if time.perf_counter() - began > LIMIT_S:
            raise NotMeasured(f"the supervisor did not notice a killed worker within {LIMIT_S:g} s")
        time.sleep(0.0002)
    noticed = time.perf_counter() - began
    whole(scratch)
    served = time.time_ns() // 1000
    while not load.answers_after(served):
        if time.perf_counter() - began > LIMIT_S:
            raise NotMeasured(f"after the replacement nothing was answered within {LIMIT_S:g} s")
        time.sleep(0.001)
    carried = sum(one.asked_at > killed and one.answered_at < served for one in list(load.answered))
    return Kill(noticed_s=noticed, restored_s=time.perf_counter() - began, carried=carried)


def whole(scratch: Scratch) -> None:
    """Wait until every worker of the scratch server serves.

    Raises:
        NotMeasured: that did not happen in time.
    """
    end = time.perf_counter() + LIMIT_S
    while not all(slot[Cell.STATE] == State.READY for slot in scratch.board.slots()):
        if time.perf_counter() > end:
            raise NotMeasured(f"a replaced worker did not serve within {LIMIT_S:g} s")
        time.sleep(0.001)
