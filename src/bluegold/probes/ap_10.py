"""AP-10: reconfigure to the safe configuration."""

from __future__ import annotations

from pathlib import Path

from bluegold.core.nouns import TrafficSplit
from bluegold.probes.bench import Bench, NotMeasured, Reading
from bluegold.probes.nf_4 import others
from bluegold.production.operations.board import Board
from bluegold.production.operations.safe_mode import to_safety

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-10"
TIMES = 10


def measure(bench: Bench) -> Reading:
    """Give Gold a share of a running server's traffic, order safety, and time until every worker serves it.

    Raises:
        NotMeasured: the server did not follow.
    """
    scratch = bench.scratch()
    board = Board(Path(scratch.endpoint.board))
    took = []
    for _ in range(TIMES):
        gold = (others(scratch.registry, bench.system.name) or [bench.version.ref])[0]
        split = scratch.registry.traffic.set(
            TrafficSplit(
                model=bench.system.name,
                revision=0,
                blue=bench.version.ref,
                gold=gold,
                gold_share=0.25,
                mode="canary",
                reason="probe of AP-10",
            )
        )
        if not board.wait_applied(split.revision, 30.0):
            raise NotMeasured("the scratch server did not take the canary it was to be saved from")
        safety = to_safety(scratch.registry, bench.system.name, reason="probe of AP-10", actor="probe", board=board)
        if safety.seconds is None or safety.split.gold or safety.split.mode != "off":
            raise NotMeasured("the safe configuration was not reached")
        took.append(safety.seconds)
    board.close()
    took.sort()
    return Reading(
        value=took[-1],
        samples=TIMES,
        method=f"from a 25 % canary back to Blue alone on {scratch.endpoint.workers} workers, order to applied by all; "
        f"median {took[TIMES // 2] * 1e3:.0f} ms, the slowest counts",
        artefact="traffic split",
    )
