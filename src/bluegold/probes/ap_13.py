"""AP-13: robustness to input perturbation."""

from __future__ import annotations

from bluegold.development.verification import robustness
from bluegold.probes.bench import Bench, Reading
from bluegold.probes.holdout import holdout

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-13"


def measure(bench: Bench) -> Reading:
    """Score the hold-out with plausible noise; the larger change of accuracy in either direction counts."""
    held = holdout(bench)
    found = robustness.run(held.context)["robustness"]
    return Reading(
        value=abs(float(found["robustness_change"])),
        samples=min(held.table.height, robustness.SAMPLE),
        method="5 % and 10 % noise on every number, whole numbers and zeros kept; largest change of accuracy",
        artefact="holdout.parquet",
    )
