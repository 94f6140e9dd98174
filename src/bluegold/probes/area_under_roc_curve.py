"""AP-8: area under the ROC curve."""

from __future__ import annotations

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.holdout import holdout

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-8"


def measure(bench: Bench) -> Evidence:
    """Score the production version's hold-out again and rank the scores against the labels.

    Raises:
        NotMeasured: nothing is in production.
    """
    found = bench.once(holdout).quality
    return bench.evidence(
        REQUIREMENT,
        found["auc"],
        samples=found["n"],
        method=f"hold-out scored again, {found['positives']:,} positives, "
        f"standard error {found['auc_standard_error']:.4f}",
        artefact="holdout.parquet",
    )
