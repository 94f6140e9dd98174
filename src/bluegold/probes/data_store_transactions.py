"""AP-6: data-store transactions."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.decisions import records
from bluegold.production.results.decision_log import DecisionLog
from bluegold.production.results.records import DecisionRecord

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-6"
PRODUCERS = 256
EACH = 80


def measure(bench: Bench) -> Evidence:
    """Append single decisions from many producers, each waiting until its own is on the disk.

    Raises:
        NotMeasured: nothing is in production.
    """
    made = records(bench, PRODUCERS * EACH)
    with bench.folder() as folder:
        took, waits = asyncio.run(_write(folder, made))
    waits.sort()
    return bench.evidence(
        REQUIREMENT,
        len(made) / took,
        samples=len(made),
        method=f"{PRODUCERS} producers in one process, one decision each at a time, acknowledged after fdatasync "
        f"(group commit); a producer waits {waits[int(len(waits) * 0.99)] * 1e3:.1f} ms (p99)",
        artefact="production/results/decision_log.py",
    )


async def _write(folder: Path, made: list[DecisionRecord]) -> tuple[float, list[float]]:
    log = DecisionLog(folder, worker=0)
    waits: list[float] = []

    async def produce(mine: list[DecisionRecord]) -> None:
        for record in mine:
            began = time.perf_counter()
            await log.write((record,))
            waits.append(time.perf_counter() - began)

    try:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(PRODUCERS):
                group.create_task(produce(made[number::PRODUCERS]))
        return time.perf_counter() - began, waits
    finally:
        log.close()
