"""AP-7: model accuracy."""

from __future__ import annotations

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.holdout import holdout

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-7"


def measure(bench: Bench) -> Evidence:
    """Score the production version's hold-out again and compare decisions with labels.

    Raises:
        NotMeasured: nothing is in production.
    """
    found = bench.once(holdout).quality
    low, high = found["accuracy_interval"]
    return bench.evidence(
        REQUIREMENT,
        found["accuracy"],
        samples=found["n"],
        method=f"hold-out scored again, 95 % interval {low:.4f}-{high:.4f}; always saying the commoner class: "
        f"{found['majority_class']:.4f}, balanced accuracy {found['balanced_accuracy']:.4f}",
        artefact="holdout.parquet",
    )
