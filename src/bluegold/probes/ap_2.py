"""AP-2: data transformation time."""

from __future__ import annotations

from bluegold.probes.bench import Bench, Reading
from bluegold.probes.scale import GB, arrow_bytes, seconds, tell

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-2"


def measure(bench: Bench) -> Reading:
    """Compute every feature, histories and point-in-time look-ups included, up to the model's matrix."""
    program = bench.program
    clean = program.clean(bench.data.rows).valid
    size = arrow_bytes(clean.select(program.contract.names))
    took = seconds(lambda: program.matrix(program.features(clean, bench.data.tables)), times=2)
    return Reading(
        value=took / size * GB,
        samples=clean.height,
        method=f"{len(program.names)} features to matrix: {tell(clean.height, size, 'Arrow, clean contract columns')}",
        artefact="program.json",
    )
