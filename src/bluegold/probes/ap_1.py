"""AP-1: data cleansing time."""

from __future__ import annotations

from bluegold.features.cleaning import clean_frame
from bluegold.probes.bench import Bench, Reading
from bluegold.probes.scale import GB, arrow_bytes, seconds, tell

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-1"


def measure(bench: Bench) -> Reading:
    """Clean the system's own rows against its contract, quarantine with reasons included."""
    contract = bench.system.contract
    rows = bench.data.rows.select(name for name in contract.names if name in bench.data.rows.columns)
    size = arrow_bytes(rows)
    took = seconds(lambda: clean_frame(contract, rows))
    return Reading(
        value=took / size * GB,
        samples=rows.height,
        method=f"contract cleaning with row reasons, "
        f"fastest of 3: {tell(rows.height, size, 'Arrow, contract columns')}",
    )
