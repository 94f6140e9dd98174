"""AP-13: robustness to input perturbation."""

from __future__ import annotations

from bluegold.core.nouns import Evidence
from bluegold.development.tables import decide
from bluegold.development.verification.robustness import LEVELS, SAMPLE, perturb
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.holdout import holdout

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-13"


def measure(bench: Bench) -> Evidence:
    """Score the hold-out with plausible noise on every number; the largest change of accuracy counts.

    Raises:
        NotMeasured: nothing is in production.
    """
    held = bench.once(holdout)
    table, labels, matrix = held.table.head(SAMPLE), held.labels[:SAMPLE], held.matrix[:SAMPLE]
    clean = float((held.decided[:SAMPLE] == labels).mean())
    changes = []
    for level in LEVELS:
        scores = bench.bundle.predictor.scores(perturb(matrix, bench.program.kinds, level, seed=7))
        noisy = float((decide(bench.bundle.decision, scores, table) == labels).mean())
        changes.append(100.0 * (noisy - clean) / clean if clean else 0.0)
    shown = ", ".join(f"{level:.0%} noise {change:+.3f} %" for level, change in zip(LEVELS, changes, strict=True))
    return bench.evidence(
        REQUIREMENT,
        max(abs(change) for change in changes),
        samples=labels.size,
        method=f"noise on every number of the hold-out, whole numbers and zeros kept; accuracy changes: {shown}",
        artefact="holdout.parquet",
    )
