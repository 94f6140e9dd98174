"""NF-4: time to update the pipeline."""

from __future__ import annotations

import time
from pathlib import Path

from bluegold.core.nouns import TrafficSplit
from bluegold.probes.bench import Bench, NotMeasured, Reading
from bluegold.production.operations.board import Board
from bluegold.registry.registry import Registry

__all__ = ["REQUIREMENT", "measure", "others"]

REQUIREMENT = "NF-4"
LIMIT_S = 30.0


def others(registry: Registry, model: str) -> list[str]:
    """Versions beside production that may be served."""
    versions = registry.versions.list(model)
    return [one.ref for one in versions if one.stage in {"Archived", "Canary", "Staging", "Registered"}]


def measure(bench: Bench) -> Reading:
    """Point the running server at a version it has not loaded, until every worker serves it; then point it back.

    Raises:
        NotMeasured: there is no second version, or the server did not follow.
    """
    candidates = others(bench.registry, bench.system.name)
    if not candidates:
        raise NotMeasured("there is no second version to change over to")
    scratch = bench.scratch()
    model, traffic = bench.system.name, scratch.registry.traffic
    board = Board(Path(scratch.endpoint.board))
    took = []
    for blue in (candidates[0], bench.version.ref):
        began = time.perf_counter()
        split = traffic.set(TrafficSplit(model=model, revision=0, blue=blue, reason="probe of NF-4"))
        if not board.wait_applied(split.revision, LIMIT_S):
            raise NotMeasured(f"not every worker served {blue} within {LIMIT_S:g} s")
        took.append(time.perf_counter() - began)
    board.close()
    return Reading(
        value=max(took),
        samples=len(took),
        method=f"{scratch.endpoint.workers} workers of a scratch server: order, verify, load and serve "
        f"{candidates[0].rpartition(':')[2]} in {took[0] * 1e3:.0f} ms, back in {took[1] * 1e3:.0f} ms",
        artefact="traffic split",
    )
