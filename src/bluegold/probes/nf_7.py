"""NF-7: pipeline health update interval."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from bluegold.probes.bench import Bench, NotMeasured, Reading
from bluegold.production.operations.board import Board, Cell

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "NF-7"
WATCH_S = 0.5


def measure(bench: Bench) -> Reading:
    """Watch the pulse of every worker; the longest interval between two updates counts.

    Raises:
        NotMeasured: a worker showed fewer than two pulses.
    """
    scratch = bench.scratch()
    board = Board(Path(scratch.endpoint.board))
    seen: list[list[int]] = [[slot[Cell.HEARTBEAT_NS]] for slot in board.slots()]
    end = time.monotonic() + WATCH_S
    while time.monotonic() < end:
        for beats, slot in zip(seen, board.slots(), strict=True):
            if slot[Cell.HEARTBEAT_NS] != beats[-1]:
                beats.append(slot[Cell.HEARTBEAT_NS])
        time.sleep(0.001)
    board.close()
    gaps = [(late - early) / 1e9 for beats in seen for early, late in itertools.pairwise(beats)]
    if any(len(beats) < 2 for beats in seen):
        raise NotMeasured(f"a worker showed no pulse within {WATCH_S:g} s")
    return Reading(
        value=max(gaps),
        samples=len(gaps),
        method=f"pulses of {len(seen)} workers on the shared board, watched for {WATCH_S:g} s; the longest gap counts",
        artefact="run/board",
    )
