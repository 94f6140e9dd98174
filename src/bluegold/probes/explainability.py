"""AP-12: explainability score."""

from __future__ import annotations

import numpy as np

from bluegold.core.nouns import Evidence
from bluegold.development.verification.explainability import DEPTH, kappa, surrogate
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.holdout import holdout
from bluegold.probes.scratch import NotMeasured

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-12"
LEAST = 100


def measure(bench: Bench) -> Evidence:
    """Fit a small tree to half of the hold-out decisions and count how often it agrees on the other half.

    Raises:
        NotMeasured: nothing is in production, or its hold-out is too small or decided all alike.
    """
    held = bench.once(holdout)
    if held.decided.size < LEAST:
        raise NotMeasured(f"the hold-out has {held.decided.size} rows, {LEAST} are needed")
    learn = np.arange(held.decided.size) % 2 == 0
    if held.decided[learn].all() or not held.decided[learn].any():
        raise NotMeasured("the version decides every hold-out row alike, so there is nothing to explain")
    tree = surrogate(held.matrix[learn], held.decided[learn], seed=7)
    said = tree.predict(held.matrix[~learn].astype(np.float32)).astype(bool)
    unseen = held.decided[~learn]
    return bench.evidence(
        REQUIREMENT,
        float((said == unseen).mean()),
        samples=int(unseen.size),
        method=f"agreement of a depth-{DEPTH} tree with decisions it did not see; always saying the commoner one "
        f"would agree in {max(unseen.mean(), 1 - unseen.mean()):.3f}, Cohen's kappa {kappa(unseen, said):.3f}",
        artefact="holdout.parquet",
    )
