"""AP-1: data cleansing time."""

from __future__ import annotations

from bluegold.core.nouns import Evidence
from bluegold.features.cleaning import clean_frame
from bluegold.probes.bench import SAMPLE_ROWS, Bench
from bluegold.probes.instruments.scale import GB, arrow_bytes, repeated, seconds, tell

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-1"
TIMES = 3


def measure(bench: Bench) -> Evidence:
    """Clean the system's own rows against its contract, with the reasons of every refused row.

    Raises:
        NotMeasured: no definition was given.
        DataError: its data cannot be read.
    """
    contract = bench.system.contract
    own = bench.data.rows.select(name for name in contract.names if name in bench.data.rows.columns)
    rows = repeated(own, SAMPLE_ROWS)
    size = arrow_bytes(rows)
    took = seconds(lambda: clean_frame(contract, rows), TIMES)
    what = tell(own.height, rows.height, size, "Arrow (contract columns)")
    return bench.evidence(
        REQUIREMENT,
        took / size * GB,
        samples=rows.height,
        method=f"contract cleaning with reasons by row, median of {TIMES}: {what}",
        artefact="pipeline.py",
    )
