"""NF-4: time to update the pipeline."""

from __future__ import annotations

import time

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.scratch import NotMeasured

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "NF-4"
LIMIT_S = 60.0


def measure(bench: Bench) -> Evidence:
    """Point the running server at a version no worker has loaded, until every worker serves it; then point it back.

    Raises:
        NotMeasured: nothing is in production, or the server did not follow.
    """
    scratch = bench.scratch()
    took = []
    for blue in (scratch.twin.ref, scratch.blue.ref):
        began = time.perf_counter()
        split = scratch.split("probe of NF-4", blue=blue)
        if not scratch.board.wait_applied(split.revision, LIMIT_S):
            raise NotMeasured(f"not every worker served {blue} within {LIMIT_S:g} s")
        took.append(time.perf_counter() - began)
    return bench.evidence(
        REQUIREMENT,
        max(took),
        samples=len(took),
        method=f"the artefacts of {scratch.blue.ref} registered once more as {scratch.twin.version}: order, verify, "
        f"load and serve on {scratch.endpoint.workers} workers in {took[0] * 1e3:.0f} ms, back in "
        f"{took[1] * 1e3:.0f} ms; the slower counts",
        artefact="run/board",
    )
