"""AP-10: reconfigure to the safe configuration."""

from __future__ import annotations

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.scratch import ACTOR, NotMeasured
from bluegold.production.operations.safe_mode import to_safety

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-10"
TIMES = 5
LIMIT_S = 30.0


def measure(bench: Bench) -> Evidence:
    """Give Gold a share of a running server's traffic, order safety, and time until every worker serves it.

    Raises:
        NotMeasured: nothing is in production, or the server did not follow.
    """
    scratch = bench.scratch()
    took = []
    for _ in range(TIMES):
        split = scratch.split("probe of AP-10", gold=scratch.twin.ref, gold_share=0.25, mode="canary")
        if not scratch.board.wait_applied(split.revision, LIMIT_S):
            raise NotMeasured("the scratch server did not take the canary it was to be saved from")
        safety = to_safety(
            scratch.registry, bench.model, reason="probe of AP-10", actor=ACTOR, board=scratch.board, timeout=LIMIT_S
        )
        if safety.seconds is None or safety.split.gold or safety.split.blue != scratch.blue.ref:
            raise NotMeasured("the split that was restored is not the safe one", why=str(safety.split))
        took.append(safety.seconds)
    took.sort()
    return bench.evidence(
        REQUIREMENT,
        took[-1],
        samples=TIMES,
        method=f"from a 25 % canary back to Blue alone, order to applied by {scratch.endpoint.workers} workers; "
        f"median {took[TIMES // 2] * 1e3:.0f} ms, the slowest counts",
        artefact="run/board",
    )
