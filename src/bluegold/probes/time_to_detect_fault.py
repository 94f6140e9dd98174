"""NF-5: time to detect a fault."""

from __future__ import annotations

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.faults import drill

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "NF-5"


def measure(bench: Bench) -> Evidence:
    """Kill serving workers under load and time until the supervisor has recorded the loss; the slowest counts.

    Raises:
        NotMeasured: nothing is in production, or the loss was not noticed.
    """
    took = sorted(kill.noticed_s for kill in bench.once(drill).kills)
    return bench.evidence(
        REQUIREMENT,
        took[-1],
        samples=len(took),
        method=f"SIGKILL to workers of a scratch server under load, until the supervisor had recorded it; "
        f"fastest {took[0] * 1e3:.1f} ms",
        artefact="run/board",
    )
