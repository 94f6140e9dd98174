"""AP-4: write to the results store."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import SAMPLE_ROWS, Bench
from bluegold.probes.instruments.holdout import holdout
from bluegold.probes.instruments.scale import GB, arrow_bytes, repeated, seconds, tell

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-4"
TIMES = 3


def measure(bench: Bench) -> Evidence:
    """Write scored rows to Parquet as batch scoring leaves them, and wait for the disk.

    Raises:
        NotMeasured: nothing is in production.
    """
    held = bench.once(holdout)
    own = held.table.with_columns(pl.Series("score", held.scores), pl.Series("value", held.decided))
    rows = repeated(own, SAMPLE_ROWS)
    size = arrow_bytes(rows)
    with bench.folder() as folder:
        took = seconds(lambda: _write(rows, folder / "scored.parquet"), TIMES)
    what = tell(own.height, rows.height, size, "Arrow (scored rows with their features)")
    return bench.evidence(
        REQUIREMENT,
        took / size * GB,
        samples=rows.height,
        method=f"scored rows to Parquet, fsync included, median of {TIMES}: {what}; single decisions are AP-6",
        artefact="holdout.parquet",
    )


def _write(rows: pl.DataFrame, path: Path) -> None:
    rows.write_parquet(path, compression="lz4")  # as batch scoring writes its results
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
