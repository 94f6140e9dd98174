"""AP-4: write to the results store."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import polars as pl

from bluegold.probes.bench import Bench, Reading
from bluegold.probes.decisions import records
from bluegold.probes.holdout import holdout
from bluegold.probes.scale import GB, arrow_bytes, seconds, tell
from bluegold.production.results.decision_log import DecisionLog
from bluegold.production.results.records import DecisionRecord

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-4"
RECORDS = 5_000
ROWS = 200_000
TOGETHER = 1_000


def measure(bench: Bench) -> Reading:
    """Write scored rows as the batch path writes them, durably; the online log's figure stands beside it."""
    held = holdout(bench)
    scores = held.scored["scores"].select("score", pl.col("decided").alias("value"))
    rows = pl.concat((held.table, scores), how="horizontal")
    rows = pl.concat([rows] * max(1, -(-ROWS // rows.height))).head(ROWS)
    size = arrow_bytes(rows)
    with bench.folder() as folder:
        took = seconds(lambda: _table(rows, folder / "scored.parquet"))
        log_s, log_bytes = asyncio.run(_log(folder / "log", records(bench, RECORDS)))
    return Reading(
        value=took / size * GB,
        samples=rows.height,
        method=f"scored rows with their features to Parquet, fsync included: {tell(rows.height, size, 'Arrow')}; the "
        f"online decision log, where AP-6 counts, takes {log_s / log_bytes * GB:.1f} s/GB of JSON",
    )


def _table(rows: pl.DataFrame, path: Path) -> None:
    rows.write_parquet(path)
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _log(folder: Path, made: list[DecisionRecord]) -> tuple[float, int]:
    log = DecisionLog(folder, worker=0)
    try:
        began = time.perf_counter()
        for start in range(0, len(made), TOGETHER):
            await log.write(made[start : start + TOGETHER])
        took = time.perf_counter() - began
        return took, sum(path.stat().st_size for path in folder.rglob("*.jsonl"))
    finally:
        log.close()
