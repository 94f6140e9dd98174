"""NF-1: availability."""

from __future__ import annotations

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.scratch import NotMeasured
from bluegold.production.operations.sentinel import account

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "NF-1"
LEAST_S = 600.0


def measure(bench: Bench) -> Evidence:
    """Read the account that the sentinel of this workspace's server keeps: the share of the time that it answered.

    Raises:
        NotMeasured: nothing is in production, or the server was watched for less than ten minutes.
    """
    _ = bench.version
    found = account(bench.workspace)
    if found is None or found.watched < LEAST_S:
        seconds = found.watched if found else 0.0
        raise NotMeasured(
            "availability is a share of an operating period, and this one is too short",
            why=f"the server of this workspace was watched for {seconds:.0f} s, and {LEAST_S:.0f} s are wanted",
            way_out="let 'bluegold up' serve for longer",
        )
    return bench.evidence(
        REQUIREMENT,
        100.0 * found.answered / found.watched,
        samples=found.rounds,
        method=f"{found.rounds:,} rounds of known answers through HTTP over {found.watched / 3600:.1f} h of service, "
        f"{found.failed:,} of them unanswered; a round stands for the time since the one before",
        artefact="run/availability.json",
    )
