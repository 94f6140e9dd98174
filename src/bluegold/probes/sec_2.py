"""SEC-2: every user's date, time and executions recorded."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from bluegold.probes.bench import Bench, NotMeasured, Reading
from bluegold.probes.client import example, get, post
from bluegold.production.operations.board import Board, Cell, State
from bluegold.production.results.decision_reader import DecisionReader

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "SEC-2"
CALLERS = ("ada", "grace", "")
EACH = 8


def measure(bench: Bench) -> Reading:
    """Make requests as several callers, kill the workers right after, and look up every one of them.

    Raises:
        NotMeasured: the server refused the requests.
    """
    scratch = bench.scratch()
    body = example(bench)
    made: list[tuple[str, str, int, int]] = []
    for number in range(EACH):
        for caller in CALLERS:
            headers = {"x-request-id": f"sec-2-{number}-{caller}"} | ({"x-bluegold-caller": caller} if caller else {})
            before = time.time_ns() // 1000
            status, answer = post(scratch.endpoint, "/v1/predict", body, headers)
            if status != 200:
                raise NotMeasured(f"the scratch server answered {status}")
            made.append((answer["id"], caller, before, time.time_ns() // 1000))
    _, seen = get(scratch.endpoint, f"/v1/decisions/{made[0][0]}")
    _kill_all(Path(scratch.endpoint.board))
    reader = DecisionReader(scratch.workspace.decisions)
    wrong = [one for one in made if not _recorded(reader.get(one[0]), one)]
    held = not wrong and seen.get("id") == made[0][0]
    said = (
        "all were found"
        if held
        else f"{len(wrong)} were missing or wrong, first {wrong[0][0] if wrong else made[0][0]}"
    )
    return Reading(
        value=held,
        samples=len(made),
        method=f"{len(made)} requests of {len(CALLERS)} callers (one without a name), every worker killed after "
        f"the last answer, then caller, moment, input and outcome of each looked up: {said}",
        artefact="decisions",
    )


def _recorded(record: Any, made: tuple[str, str, int, int]) -> bool:
    identifier, caller, before, after = made
    return (
        record is not None
        and record.id == identifier
        and before <= record.at <= after
        and record.caller.startswith(f"{caller}@" if caller else "127.")
        and bool(record.version and record.input_digest and record.payload)
    )


def _kill_all(path: Path) -> None:
    """Kill every worker, then wait until the server is whole again for the probes that follow."""
    board = Board(path)
    for slot in board.slots():
        os.kill(slot[Cell.PID], signal.SIGKILL)
    before = [slot[Cell.RESTARTS] for slot in board.slots()]
    end = time.monotonic() + 30.0
    while time.monotonic() < end:
        back = [slot[Cell.RESTARTS] > old for slot, old in zip(board.slots(), before, strict=True)]
        if all(back) and all(slot[Cell.STATE] == State.READY for slot in board.slots()):
            break
        time.sleep(0.005)
    board.close()
