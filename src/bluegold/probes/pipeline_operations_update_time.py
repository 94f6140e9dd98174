"""AP-9: update pipeline operations."""

from __future__ import annotations

import time

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.scratch import NotMeasured

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-9"
SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)
LIMIT_S = 30.0


def measure(bench: Bench) -> Evidence:
    """Change Gold's share of a running server's traffic, and time until every worker routes by it.

    Raises:
        NotMeasured: nothing is in production, or the server did not follow.
    """
    scratch = bench.scratch()
    first = scratch.split("probe of AP-9", gold=scratch.twin.ref, gold_share=0.01, mode="canary")
    if not scratch.board.wait_applied(first.revision, LIMIT_S):
        raise NotMeasured("the scratch server did not take the canary whose share was to be changed")
    took = []
    for share in SHARES:
        began = time.perf_counter()
        split = scratch.split("probe of AP-9", gold=scratch.twin.ref, gold_share=share, mode="canary")
        if not scratch.board.wait_applied(split.revision, LIMIT_S):
            raise NotMeasured(f"not every worker followed within {LIMIT_S:g} s")
        took.append(time.perf_counter() - began)
    took.sort()
    return bench.evidence(
        REQUIREMENT,
        took[-1],
        samples=len(took),
        method=f"{len(took)} changes of a canary's share, order to applied by {scratch.endpoint.workers} workers; "
        f"median {took[len(took) // 2] * 1e3:.0f} ms, the slowest counts",
        artefact="run/board",
    )
