"""AP-3: model execution time."""

from __future__ import annotations

from functools import partial

from bluegold.probes.bench import Bench, Reading
from bluegold.probes.holdout import holdout
from bluegold.probes.scale import seconds

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-3"
BATCH = 10_000
SINGLES = 500


def measure(bench: Bench) -> Reading:
    """Time one batch of hold-out rows and many single rows; somebody waits for a row unless the topology is batch."""
    matrix = holdout(bench).matrix[:BATCH]
    predictor = bench.bundle.predictor
    batch = seconds(lambda: predictor.scores(matrix))
    rows: list[list[float]] = [row.tolist() for row in matrix[:SINGLES]]
    singles = sorted(seconds(partial(predictor.score_row, row), times=1) for row in rows)
    slow = singles[int(len(singles) * 0.99)]
    waited = "batch" if bench.system.plan.topology == "batch" else "row"
    return Reading(
        value=batch if waited == "batch" else slow,
        samples=matrix.shape[0] + len(rows),
        method=f"p99 of {len(rows)} single rows {slow * 1e6:.0f} us, one batch of {matrix.shape[0]:,} rows "
        f"{batch * 1e3:.1f} ms; a caller waits for one {waited}",
        artefact="holdout.parquet",
    )
