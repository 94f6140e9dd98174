"""NF-2: time to restore after an error."""

from __future__ import annotations

from bluegold.probes.bench import Bench, Reading
from bluegold.probes.faults import kills

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "NF-2"


def measure(bench: Bench) -> Reading:
    """Kill serving workers and time until all are ready again and answer; the slowest counts."""
    found = sorted(restored for _, restored in kills(bench))
    return Reading(
        value=found[-1],
        samples=len(found),
        method="SIGKILL to workers of a scratch server until every worker had verified, loaded and served again; "
        f"fastest {found[0]:.2f} s",
        artefact="run/board",
    )
