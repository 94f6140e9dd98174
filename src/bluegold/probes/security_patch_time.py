"""NF-6: deploy a security patch."""

from __future__ import annotations

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.patching import patching
from bluegold.probes.scratch import NotMeasured

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "NF-6"


def measure(bench: Bench) -> Evidence:
    """Order a reload under load, and time until every worker was started from the code on the disk and serves.

    Raises:
        NotMeasured: nothing is in production, or a worker was not replaced.
        ServingError: the server did not reload.
    """
    done = bench.once(patching)
    if done.stayed:
        raise NotMeasured("a worker of the scratch server was not replaced by the reload")
    answered = len(done.kept.answered) + len(done.fresh.answered)
    failed = len(done.kept.failed) + len(done.fresh.failed)
    return bench.evidence(
        REQUIREMENT,
        done.took,
        samples=done.workers,
        method=f"from the order to reload until {done.workers} workers of a scratch server, started anew from the code "
        f"on the disk, served; {answered:,} requests answered and {failed} failed meanwhile; "
        "building and installing the patch is not part of it",
        artefact="run/board",
    )
