"""AP-8: area under the ROC curve."""

from __future__ import annotations

from bluegold.probes.bench import Bench, Reading
from bluegold.probes.holdout import holdout

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-8"


def measure(bench: Bench) -> Reading:
    """Score the hold-out again and rank scores against labels."""
    found = holdout(bench).quality
    return Reading(
        value=found["auc"],
        samples=found["n"],
        method=f"hold-out scored again, {found['positives']:,} positives, "
        f"standard error {found['auc_standard_error']:.4f}",
        artefact="holdout.parquet",
    )
