"""Every serving process replaced under load, done once for all probes that look at it."""

from __future__ import annotations

import time
from typing import NamedTuple

from bluegold.probes.bench import Bench
from bluegold.probes.instruments.load import Load
from bluegold.production.operations.board import Cell
from bluegold.production.operations.supervisor import reload

__all__ = ["Patching", "patching"]


class Patching(NamedTuple):
    """What a reload under load took.

    Attributes:
        workers: how many processes served before.
        stayed: how many of them serve still.
        took: seconds from the order until all others served.
        kept: what was asked on kept connections.
        fresh: what was asked on a new connection each.
    """

    workers: int
    stayed: int
    took: float
    kept: Load
    fresh: Load


def patching(bench: Bench) -> Patching:
    """Order a reload of the scratch server under load; new processes start from the code on the disk.

    Raises:
        NotMeasured: nothing is in production.
        ServingError: the server did not reload.
    """
    scratch = bench.scratch()
    before = {slot[Cell.PID] for slot in scratch.board.slots()}
    with Load(bench) as kept, Load(bench, keep=False) as fresh:
        time.sleep(0.1)
        took = reload(scratch.workspace)
        time.sleep(0.1)
    stayed = before & {slot[Cell.PID] for slot in scratch.board.slots()}
    return Patching(len(before), len(stayed), took, kept, fresh)
