"""AP-2: data transformation time."""

from __future__ import annotations

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import SAMPLE_ROWS, Bench
from bluegold.probes.instruments.scale import GB, arrow_bytes, repeated, seconds, tell

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-2"
TIMES = 3


def measure(bench: Bench) -> Evidence:
    """Compute every feature, histories and point-in-time look-ups included, up to the model's matrix.

    Raises:
        NotMeasured: nothing is in production, or no definition was given.
        DataError: its data cannot be read.
    """
    program = bench.program
    own, tables = program.clean(bench.data.rows).valid, bench.data.tables
    rows = own if own.height >= SAMPLE_ROWS // 2 else repeated(own, SAMPLE_ROWS)
    used = {spec.table for spec in program.lookups}
    size = arrow_bytes(rows.select(program.contract.names)) + sum(arrow_bytes(tables[name]) for name in used)
    took = seconds(lambda: program.matrix(program.features(rows, tables)), TIMES)
    what = tell(own.height, rows.height, size, "Arrow (clean rows and look-up tables)")
    return bench.evidence(
        REQUIREMENT,
        took / size * GB,
        samples=rows.height,
        method=f"{len(program.names)} features up to the matrix, median of {TIMES}: {what}",
        artefact="program.json",
    )
