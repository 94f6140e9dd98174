"""Queries for attacks on the served model: natural records of the system's own data, and made-up ones it accepts."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import polars as pl

from bluegold.probes.bench import Bench, loaded
from bluegold.probes.scratch import NotMeasured

__all__ = ["Queries", "natural_records"]

SAMPLE = 5_000


def natural_records(bench: Bench) -> pl.DataFrame:
    """Records that happened while the production version was verified, as its contract takes them; up to 5,000.

    Callers ask about their present, and a version is verified on the newest data: records of another season would look
    strange to whoever knows the hold-out.  Use it through ``bench.once``.

    Raises:
        NotMeasured: the system's data holds no such record, or no definition was given.
        RegistryError: the version carries no hold-out.
    """
    rows, contract = bench.once(loaded).rows, bench.program.contract
    time = bench.system.time
    if time and time in rows.columns:
        kept = pl.read_parquet(bench.registry.versions.artefact(bench.version.ref, "holdout.parquet"))
        first, last = kept["_time"].min(), kept["_time"].max()
        rows = rows.filter(pl.col(time).is_between(pl.lit(first), pl.lit(last)))
    clean = bench.program.clean(rows.sample(min(2 * SAMPLE, rows.height), seed=7)).valid
    if clean.is_empty():
        raise NotMeasured("the system's data holds no record that its contract accepts, of the time of the hold-out")
    return clean.select(contract.names).head(SAMPLE)


class Queries:
    """Draws queries.

    Args:
        bench: the system; its own data is sampled.
        seed: of the draws.

    Raises:
        NotMeasured: the system's data holds no record that its contract accepts, or no definition was given.
        RegistryError: the version in production carries no hold-out.
    """

    def __init__(self, bench: Bench, seed: int = 7) -> None:
        self._draw = np.random.default_rng(seed)
        self._contract = bench.program.contract
        self._rows = bench.once(natural_records)

    def natural(self, count: int) -> list[dict[str, Any]]:
        """Records that happened, each at most once where there are enough of them."""
        places = self._draw.choice(self._rows.height, count, replace=count > self._rows.height)
        return [_plain(row) for row in self._rows[places.tolist()].iter_rows(named=True)]

    def made_up(self, count: int) -> list[dict[str, Any]]:
        """Records that never happened: every field drawn by itself, numbers evenly over the range they have."""
        columns: dict[str, list[Any]] = {}
        for field in self._contract.fields:
            column = self._rows[field.name]
            if field.kind == "number" and column.drop_nulls().len():
                low, high = float(column.min()), float(column.max())  # type: ignore[arg-type]  # a column of numbers
                values = self._draw.uniform(low, high, count)
                columns[field.name] = values.round().astype(int).tolist() if field.integer else values.tolist()
            else:
                columns[field.name] = column[self._draw.choice(column.len(), count).tolist()].to_list()
        names = list(columns)
        return [_plain(dict(zip(names, row, strict=True))) for row in zip(*columns.values(), strict=True)]

    @staticmethod
    def body(rows: list[dict[str, Any]]) -> bytes:
        """A request of several rows."""
        return json.dumps({"rows": rows}).encode()

    @property
    def frame(self) -> pl.DataFrame:
        """The natural records that are drawn from."""
        return self._rows


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, dt.datetime) else value for name, value in row.items()}
