"""AP-7: model accuracy."""

from __future__ import annotations

from bluegold.probes.bench import Bench, Reading
from bluegold.probes.holdout import holdout

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-7"


def measure(bench: Bench) -> Reading:
    """Score the hold-out again and compare decisions with labels; the majority class stands beside it."""
    found = holdout(bench).quality
    low, high = found["accuracy_interval"]
    return Reading(
        value=found["accuracy"],
        samples=found["n"],
        method=f"hold-out scored again, 95 % interval {low:.4f}-{high:.4f}; "
        f"majority class {found['majority_class']:.4f}, balanced accuracy {found['balanced_accuracy']:.4f}",
        artefact="holdout.parquet",
    )
