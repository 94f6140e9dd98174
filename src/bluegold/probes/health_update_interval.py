"""NF-7: pipeline health update interval."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.scratch import NotMeasured
from bluegold.production.operations.board import Board, Cell

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "NF-7"
WATCH_S = 0.5


def measure(bench: Bench) -> Evidence:
    """Watch the pulse that health is made of, on the live server when one runs; the longest interval counts.

    Raises:
        NotMeasured: nothing is in production, or a worker showed fewer than two pulses.
    """
    endpoint = bench.endpoint or bench.scratch().endpoint
    board = Board(Path(endpoint.board))
    try:
        beats = [[slot[Cell.HEARTBEAT_NS]] for slot in board.slots()]
        end = time.monotonic() + WATCH_S
        while time.monotonic() < end:
            for mine, slot in zip(beats, board.slots(), strict=True):
                if slot[Cell.HEARTBEAT_NS] != mine[-1]:
                    mine.append(slot[Cell.HEARTBEAT_NS])
            time.sleep(0.001)
    finally:
        board.close()
    if any(len(mine) < 2 for mine in beats):
        raise NotMeasured(f"a worker showed no pulse within {WATCH_S:g} s")
    gaps = [(late - early) / 1e9 for mine in beats for early, late in itertools.pairwise(mine)]
    return bench.evidence(
        REQUIREMENT,
        max(gaps),
        samples=len(gaps),
        method=f"pulses of {len(beats)} workers of the {'live' if bench.endpoint else 'scratch'} server on the shared "
        f"board, watched for {WATCH_S:g} s; the longest interval counts",
        artefact="run/board",
    )
