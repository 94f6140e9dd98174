"""NF-3: no single point of failure."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.faults import drill
from bluegold.probes.instruments.load import Load
from bluegold.probes.scratch import NotMeasured, Scratch
from bluegold.production.operations.board import Cell, Head, State
from bluegold.production.operations.watched import alive

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "NF-3"
SETTLE_S = 0.3
WAIT_S = 1.0
LIMIT_S = 30.0


def measure(bench: Bench) -> Evidence:
    """Stop each component of the scratch server under load; requests made afterwards must still be answered.

    One is lost at a time: before the next one the server has its deputy and its standby again.

    This probe leaves the scratch server in ruins, so it runs last.

    Raises:
        NotMeasured: nothing is in production.
    """
    found = {"a worker": all(kill.carried > 0 for kill in bench.once(drill).kills)}
    scratch = bench.scratch()
    with Load(bench, keep=False) as load:
        for name, stop in _COMPONENTS.items():
            _companions(scratch)
            stop(scratch)
            time.sleep(SETTLE_S)
            found[name] = _answers(load)
    lost = [name for name, survived in found.items() if not survived]
    said = ", ".join(f"{name} {'survived' if survived else 'NOT survived'}" for name, survived in found.items())
    return bench.evidence(
        REQUIREMENT,
        not lost,
        samples=len(found),
        method=f"components of a scratch server on one machine stopped under load, one after the other; requests made "
        f"afterwards must be answered: {said}",
        artefact="run/board",
    )


def _answers(load: Load) -> bool:
    moment = time.time_ns() // 1000
    end = time.perf_counter() + WAIT_S
    while time.perf_counter() < end:
        if load.answers_after(moment):
            return True
        time.sleep(0.01)
    return False


def _companions(scratch: Scratch) -> None:
    """Wait until the server has its deputy and its standby, which it starts after its workers.

    Raises:
        NotMeasured: they did not come.
    """
    board = scratch.board
    end = time.perf_counter() + LIMIT_S
    while not (alive(board[Head.DEPUTY]) and board.standby()[Cell.STATE] == State.STANDBY):
        if time.perf_counter() > end:
            raise NotMeasured(f"the server had no deputy and no standby after {LIMIT_S:g} s")
        time.sleep(0.01)


def _registry(scratch: Scratch) -> None:
    database = scratch.workspace.database
    with database.open("r+b") as file:  # open connections see it: the file is spoiled, not replaced
        file.write(b"\0" * 4096)
    for suffix in ("-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def _worker(scratch: Scratch) -> None:
    os.kill(scratch.board.slot(0)[Cell.PID], signal.SIGKILL)


def _supervisor(scratch: Scratch) -> None:
    os.kill(scratch.board[Head.LEADER], signal.SIGKILL)


#: What is stopped after the workers, in this order.
_COMPONENTS: dict[str, Callable[[Scratch], None]] = {
    "the supervisor": _supervisor,
    "a worker of its successor": _worker,
    "the registry": _registry,
}
