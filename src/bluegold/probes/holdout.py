"""The production version's own hold-out, scored again by the real verification stages."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from bluegold.development.stage import Origin, StageContext
from bluegold.development.tables import matrix_of
from bluegold.development.verification import holdout as stage
from bluegold.probes.bench import Bench
from bluegold.registry.predictors import FAMILIES

__all__ = ["Holdout", "holdout"]


class Holdout:
    """The hold-out of one version as its verification stages see it.

    Args:
        bench: the system.
    """

    def __init__(self, bench: Bench) -> None:
        version, read = bench.version, bench.registry.versions.artefact
        choice = msgspec.json.decode(read(version.ref, "choice.json"))
        self.table = pl.read_parquet(read(version.ref, "holdout.parquet"))
        self.ports: dict[str, Any] = {
            "choice": choice,
            "holdout": self.table,
            "model": read(version.ref, FAMILIES[choice["family"]][0]),
            "program": bench.bundle.program_json,
        }
        origin = Origin(run_id="probe", data="", code="", environment="", seed=7, author="probe")
        self.context = StageContext(
            bench.system, bench.workspace, bench.registry, origin, self.ports.__getitem__, lambda _: None
        )
        self.matrix: NDArray[np.float64] = matrix_of(self.table, bench.program.names)
        self.scored = stage.run(self.context)
        self.ports |= self.scored

    @property
    def quality(self) -> dict[str, Any]:
        """Quality measures of the hold-out, computed now."""
        found: dict[str, Any] = self.scored["quality_holdout"]
        return found


_KEPT: dict[int, tuple[Bench, Holdout]] = {}


def holdout(bench: Bench) -> Holdout:
    """The hold-out of a bench, scored once."""
    found = _KEPT.get(id(bench))
    if found is None or found[0] is not bench:
        _KEPT.clear()
        found = _KEPT[id(bench)] = (bench, Holdout(bench))
    return found[1]
