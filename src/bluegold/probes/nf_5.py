"""NF-5: time to detect a fault."""

from __future__ import annotations

from bluegold.probes.bench import Bench, Reading
from bluegold.probes.faults import kills

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "NF-5"


def measure(bench: Bench) -> Reading:
    """Kill serving workers and time until the supervisor has put the loss on the board; the slowest counts."""
    found = sorted(noticed for noticed, _ in kills(bench))
    return Reading(
        value=found[-1],
        samples=len(found),
        method=f"SIGKILL to workers of a scratch server until the supervisor recorded it; "
        f"fastest {found[0] * 1e3:.1f} ms",
        artefact="run/board",
    )
