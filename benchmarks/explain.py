"""Attributions through the results store, against LightGBM's own, on decisions about flights.

    python benchmarks/explain.py [--quick]

Decisions lie in one file a day, as an export leaves them; `bluegold results explain` reads them, explains them and
writes what it found.  The data and the model are those of `data.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import polars as pl

import data

__all__ = ["main"]

DAY_US = 86_400_000_000
BEGAN_US = 1_700_000_000_000_000
WHAT = (
    "Decisions of a LightGBM model with 120 trees of 31 leaves about flights, one file a day as an export leaves them: "
    "from the files of decisions to the files of attributions on the disk. The alternative is LightGBM's own "
    "pred_contrib on the bare matrix, without reading or writing."
)
GOAL = 15_000


def decisions(folder: Path, days: int, rows: int) -> tuple[Any, Any, Any]:
    """A results store with `days` files of `rows` decisions; the store, the registry and the decisions' matrix."""
    from bluegold.core.workspace import Workspace
    from bluegold.production.results.results_store import DECISION, ResultsStore, day_of
    from bluegold.registry.registry import Registry

    program = data.program_of(folder)
    space = Workspace.open(folder / "workspace")
    valid = program.clean(pl.read_parquet(folder / "flights.parquet", n_rows=days * rows)).valid
    matrix = program.matrix(program.features(valid, {"weather": pl.read_parquet(folder / "weather.parquet")}))
    store = ResultsStore(space)
    with store.decisions.writing():
        for day in range(days):
            part = matrix[day * rows : (day + 1) * rows]
            at = BEGAN_US + day * DAY_US + np.arange(len(part))
            known = {
                "id": [f"w-{day}-{number}" for number in range(len(part))],
                "at": pl.Series(at).cast(pl.Datetime("us")),
                "model": ["flight-delays"] * len(part),
                "version": ["v1"] * len(part),
                "vector": pl.Series(part).cast(pl.List(pl.Float64)),
            }
            missing = {name: pl.Series([None] * len(part), dtype=kind) for name, kind in DECISION.items()}
            frame = pl.DataFrame(missing | known).select(list(DECISION))
            place = f"model=flight-delays/version=v1/day={day_of(int(at[0]))}"
            store.decisions.add({place: frame}, {"log": (day + 1) * rows})
    return store, Registry.open(space, actor="benchmark"), matrix


def measure(folder: Path, days: int, rows: int) -> tuple[list[list[Any]], str]:
    """Rows of the result, and what is to be said about them."""
    from bluegold.production.results.attributions import attribute

    store, registry, matrix = decisions(folder, days, rows)
    with registry:
        booster = lightgbm.Booster(model_str=registry.versions.artefact("flight-delays:v1", "model.txt").decode())
        sample = matrix[:: max(len(matrix) // 3_000, 1)]
        began = time.perf_counter()
        booster.predict(sample, pred_contrib=True)
        base = len(sample) / (time.perf_counter() - began)
        began = time.perf_counter()
        done = attribute(store, registry)
        rate = done.rows / (time.perf_counter() - began)
    text = "" if rate >= GOAL else f" Shortfall: {rate:,.0f}."
    return (
        [
            ["LightGBM, pred_contrib", len(sample), round(base), 1.0],
            [f"bluegold results explain, {days} files of {rows:,}", done.rows, round(rate), rate / base],
        ],
        f"Goal: {GOAL:,} rows/s.{text} Largest difference from the exact values: {done.difference:.1g}.",
    )


def main() -> int:
    """Measure and write `results/explain.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    said = parser.parse_args()
    days, rows = (4, 2_000) if said.quick else (60, 2_000)
    with tempfile.TemporaryDirectory(prefix="bluegold-explain-") as made:
        folder = Path(made)
        data.make(folder, 400_000)
        data.ours("prepare", folder)
        found, note = measure(folder, days, rows)
    for row in found:
        sys.stdout.write(f"{row}\n")
    sys.stdout.write(f"{note}\n")
    if not said.quick:
        result = {
            "title": "Attributions",
            "what": WHAT,
            "command": "python benchmarks/explain.py",
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            "columns": ["program", "rows", "rows/s", "x of the first"],
            "rows": found,
            "notes": [note, "A call of the fast way costs as much for a few rows as for thousands: files go together."],
        }
        (Path(__file__).parent / "results" / "explain.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
