"""AP-4: write to the results store."""

from __future__ import annotations

import polars as pl

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import SAMPLE_ROWS, Bench
from bluegold.probes.instruments.holdout import holdout
from bluegold.probes.instruments.scale import GB, arrow_bytes, repeated, seconds, tell
from bluegold.production.results.partitions import Partitions

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-4"
TIMES = 3


def measure(bench: Bench) -> Evidence:
    """Write scored rows into a results store, and wait for the disk.

    Raises:
        NotMeasured: nothing is in production.
    """
    held = bench.once(holdout)
    own = held.table.with_columns(pl.Series("score", held.scores), pl.Series("value", held.decided))
    rows = repeated(own, SAMPLE_ROWS)
    size = arrow_bytes(rows)
    with bench.folder() as folder:
        store = Partitions(folder / "results")
        with store.writing():
            took = seconds(lambda: store.add({"day=1970-01-01": rows}, {}), TIMES)
    what = tell(own.height, rows.height, size, "Arrow (scored rows with their features)")
    return bench.evidence(
        REQUIREMENT,
        took / size * GB,
        samples=rows.height,
        method=f"scored rows into the results store (Parquet, hashed, flushed, named by its manifest), median of "
        f"{TIMES}: {what}; single decisions are AP-6",
        artefact="production/results/partitions.py",
    )
