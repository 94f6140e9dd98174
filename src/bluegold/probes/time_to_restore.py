"""NF-2: time to restore after an error."""

from __future__ import annotations

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.faults import drill

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "NF-2"


def measure(bench: Bench) -> Evidence:
    """Kill serving workers under load and time until all serve again and answer; the slowest counts.

    Raises:
        NotMeasured: nothing is in production, or capacity did not come back.
    """
    found = bench.once(drill)
    took = sorted(kill.restored_s for kill in found.kills)
    return bench.evidence(
        REQUIREMENT,
        took[-1],
        samples=len(took),
        method=f"SIGKILL to workers of a scratch server under load, until every worker had verified, loaded and "
        f"served again; fastest {took[0]:.2f} s; {len(found.answered):,} requests answered meanwhile, "
        f"{found.failed} lost with the killed workers",
        artefact="run/board",
    )
