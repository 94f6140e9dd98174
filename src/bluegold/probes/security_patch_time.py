"""NF-6: deploy a security patch."""

from __future__ import annotations

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.load import Load
from bluegold.probes.scratch import NotMeasured
from bluegold.production.operations.board import Cell
from bluegold.production.operations.supervisor import reload

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "NF-6"


def measure(bench: Bench) -> Evidence:
    """Order a reload under load, and time until every worker was started from the code on the disk and serves.

    Raises:
        NotMeasured: nothing is in production, or a worker was not replaced.
        ServingError: the server did not reload.
    """
    scratch = bench.scratch()
    before = {slot[Cell.PID] for slot in scratch.board.slots()}
    with Load(bench) as load:
        took = reload(scratch.workspace)
    if before & {slot[Cell.PID] for slot in scratch.board.slots()}:
        raise NotMeasured("a worker of the scratch server was not replaced by the reload")
    return bench.evidence(
        REQUIREMENT,
        took,
        samples=len(before),
        method=f"from the order to reload until {len(before)} workers of a scratch server, started anew from the code "
        f"on the disk, served; {len(load.answered):,} requests answered and {len(load.failed)} failed meanwhile; "
        "building and installing the patch is not part of it",
        artefact="run/board",
    )
