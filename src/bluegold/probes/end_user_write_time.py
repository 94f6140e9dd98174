"""AP-5: write to end-user stores."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import SAMPLE_ROWS, Bench
from bluegold.probes.instruments.holdout import holdout
from bluegold.probes.instruments.scale import GB, arrow_bytes, repeated, seconds, tell
from bluegold.production.results.end_user import ResultPages

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-5"
TIMES = 3


def measure(bench: Bench) -> Evidence:
    """Write scored rows into an end user's SQLite file, and wait for the disk.

    Raises:
        NotMeasured: nothing is in production.
    """
    held = bench.once(holdout)
    own = held.table.with_columns(pl.Series("score", held.scores), pl.Series("value", held.decided))
    rows = repeated(own, SAMPLE_ROWS)
    size = arrow_bytes(rows)
    with bench.folder() as folder:
        took = seconds(lambda: _write(rows, folder / "results.db"), TIMES)
    what = tell(own.height, rows.height, size, "Arrow (scored rows with their features)")
    return bench.evidence(
        REQUIREMENT,
        took / size * GB,
        samples=rows.height,
        method=f"scored rows as packed pages into SQLite, one durable transaction, median of {TIMES}: {what}",
        artefact="production/results/end_user.py",
    )


def _write(rows: pl.DataFrame, path: Path) -> None:
    with ResultPages(path) as pages:
        pages.append([rows])
