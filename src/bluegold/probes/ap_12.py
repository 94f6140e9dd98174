"""AP-12: explainability score."""

from __future__ import annotations

import numpy as np

from bluegold.development.verification.explainability import DEPTH, kappa, surrogate
from bluegold.probes.bench import Bench, NotMeasured, Reading
from bluegold.probes.holdout import holdout

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-12"
LEAST = 200


def measure(bench: Bench) -> Reading:
    """Fit a small tree to half of the hold-out decisions and count how often it agrees on the other half.

    Raises:
        NotMeasured: the hold-out is too small to be divided.
    """
    held = holdout(bench)
    decided = held.scored["scores"]["decided"].to_numpy().astype(bool)
    if decided.size < LEAST:
        raise NotMeasured(f"the hold-out has {decided.size} rows, {LEAST} are needed")
    learn = np.arange(decided.size) % 2 == 0
    if decided[learn].all() or not decided[learn].any():
        raise NotMeasured("the version decides every hold-out row alike, so there is nothing to explain")
    tree = surrogate(held.matrix[learn], decided[learn], seed=7)
    said = tree.predict(held.matrix[~learn].astype(np.float32)).astype(bool)
    return Reading(
        value=float((said == decided[~learn]).mean()),
        samples=int((~learn).sum()),
        method=f"agreement of a depth-{DEPTH} tree with the decisions it did not see; "
        f"Cohen's kappa {kappa(decided[~learn], said):.3f}",
        artefact="holdout.parquet",
    )
