"""Batch scoring: a file in, a file of decisions out, by the same program and the same model as over HTTP.

Every row is answered as the live path would answer it: histories and lookups come from the online store as of
the row's own moment.  Rows of the file are not events; scoring a file changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bluegold.core.errors import DataError
from bluegold.core.workspace import Workspace
from bluegold.features.program import FeatureProgram
from bluegold.production.lanes import Lane
from bluegold.production.loading import Loader
from bluegold.registry.registry import Registry
from bluegold.stores.key_value_lmdb import KeyValueLmdb

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

__all__ = ["Scored", "score"]

CHUNK_ROWS = 50_000


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch run did.  ``reasons`` counts why rows were refused, ``flags`` what was noted on answered ones."""

    version: str
    rows: int
    scored: int
    quarantined: int
    positive: int
    output: str
    quarantine: str
    reasons: dict[str, int]
    flags: dict[str, int]
    seconds: float


def score(
    registry: Registry,
    workspace: Workspace,
    ref: str,
    source: Path,
    output: Path,
    *,
    on_progress: Callable[[int], None] | None = None,
) -> Scored:
    """Score every row of a Parquet or CSV file.

    Args:
        registry: where the version is.
        workspace: where the online store is.
        ref: which version.
        source: ``.parquet`` or ``.csv`` with at least the contract's columns.
        output: ``.parquet`` or ``.csv``; it appears whole or not at all.  Refused rows go, with their reasons, to
            a file beside it that ends in ``.quarantine.parquet``.
        on_progress: told the number of rows read so far.

    Raises:
        DataError: the input is missing, unreadable, empty or lacks a column; or a name has an unknown ending.
        BluegoldError: the version cannot be found, verified or loaded.
    """
    began = time.perf_counter()
    if output.suffix.lower() not in {".parquet", ".csv"}:
        raise DataError(f"'{output}' is neither .parquet nor .csv", way_out="choose one of these endings")
    chunks = _chunks(source)
    output.parent.mkdir(parents=True, exist_ok=True)
    quarantine = output.with_suffix(".quarantine.parquet")
    total = _Total()
    with contextlib.closing(KeyValueLmdb(workspace.online, durable=False)) as online, _pieces(output) as parts:
        lane = Loader(registry, online).lane(registry.versions.get(ref).ref)
        for number, frame in enumerate(chunks):
            total.add(_score_chunk(lane, frame, total.rows, parts, number))
            if on_progress:
                on_progress(total.rows)
        if total.rows == 0:
            raise DataError(f"'{source}' holds no rows", way_out="give a file with at least one row")
        _join(parts, "scored", output)
        _join(parts, "refused", quarantine)
    return total.told(lane.bundle.ref, output, quarantine, time.perf_counter() - began)


@contextlib.contextmanager
def _pieces(output: Path) -> Iterator[Path]:
    """A hidden folder beside the output, gone afterwards whatever happens."""
    parts = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        yield parts
    finally:
        shutil.rmtree(parts, ignore_errors=True)


class _Total(msgspec.Struct):
    rows: int = 0
    scored: int = 0
    positive: int = 0
    reasons: dict[str, int] = {}
    flags: dict[str, int] = {}

    def add(self, chunk: _Total) -> None:
        self.rows += chunk.rows
        self.scored += chunk.scored
        self.positive += chunk.positive
        for mine, theirs in ((self.reasons, chunk.reasons), (self.flags, chunk.flags)):
            for name, count in theirs.items():
                mine[name] = mine.get(name, 0) + count

    def told(self, version: str, output: Path, quarantine: Path, seconds: float) -> Scored:
        return Scored(
            version=version,
            rows=self.rows,
            scored=self.scored,
            quarantined=self.rows - self.scored,
            positive=self.positive,
            output=str(output),
            quarantine=str(quarantine) if self.scored < self.rows else "",
            reasons=self.reasons,
            flags=self.flags,
            seconds=seconds,
        )


def _score_chunk(lane: Lane, frame: pl.DataFrame, before: int, parts: Path, number: int) -> _Total:
    import polars as pl

    program: FeatureProgram = lane.program.program
    cleaned = program.clean(frame)
    valid = cleaned.valid
    scores = lane.bundle.predictor.scores(_matrix(lane, valid))
    rule = lane.bundle.decision
    groups = valid[rule.group_by].cast(pl.String).fill_null("").to_list() if rule.group_by else [""] * valid.height
    values = [rule.decide(float(one), group) for one, group in zip(scores, groups, strict=True)]
    valid.with_columns(
        pl.col("_row") + before,
        pl.col("_flags").list.join(";"),
        pl.Series("score", scores, dtype=pl.Float64),
        pl.Series("value", values, dtype=pl.Boolean),
        pl.lit(lane.version).alias("version"),
    ).rename({"_row": "row", "_flags": "flags"}).write_parquet(
        parts / f"scored-{number:06d}.parquet", compression="lz4"
    )
    if cleaned.quarantine.height:
        refused = cleaned.quarantine.with_columns(pl.col("_row") + before)
        refused.rename({"_row": "row", "_reasons": "reasons"}).write_parquet(
            parts / f"refused-{number:06d}.parquet", compression="lz4"
        )
    return _Total(
        rows=frame.height,
        scored=valid.height,
        positive=sum(values),
        reasons=_tally(cleaned.quarantine["_reasons"]),
        flags=_tally(valid["_flags"]),
    )


def _matrix(lane: Lane, valid: pl.DataFrame) -> NDArray[np.float64]:
    """The model's input: column by column where a row stands for itself, row by row where the past comes in."""
    import numpy as np

    program: FeatureProgram = lane.program.program
    if not program.histories and not program.lookups:
        return program.matrix(program.features(valid, {}))
    rows = [lane.program.vector(row, lane.online) for row in valid.iter_rows(named=True)]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(program.names))


def _tally(lists: pl.Series) -> dict[str, int]:
    counts: dict[str, int] = {}
    for names in lists.to_list():
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    return counts


def _chunks(source: Path) -> Iterator[pl.DataFrame]:
    """The file in pieces of bounded size; CSV fields stay text, so that the contract judges them one by one."""
    import polars as pl

    kind = source.suffix.lower()
    if kind not in {".parquet", ".csv"}:
        raise DataError(f"'{source}' is neither .parquet nor .csv", way_out="convert it to one of these")
    if not source.is_file():
        raise DataError(f"'{source}' does not exist or is no file", way_out="give the path of a Parquet or CSV file")
    try:
        lazy = pl.scan_parquet(source) if kind == ".parquet" else pl.scan_csv(source, infer_schema=False)
        yield from lazy.collect_batches(chunk_size=CHUNK_ROWS)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"'{source}' cannot be read", why=" ".join(str(error).split())[:300], way_out="give a readable file"
        ) from error


def _join(parts: Path, name: str, output: Path) -> None:
    """Join the pieces into one file that appears whole; without pieces an older file is removed."""
    import polars as pl

    pieces = sorted(parts.glob(f"{name}-*.parquet"))
    if not pieces:
        output.unlink(missing_ok=True)
        return
    whole = parts / f"whole{output.suffix.lower()}"
    lazy = pl.scan_parquet(pieces)
    if whole.suffix == ".csv":
        lazy.sink_csv(whole)
    else:
        lazy.sink_parquet(whole, compression="lz4")
    with whole.open("rb") as file:
        os.fsync(file.fileno())
    whole.replace(output)
