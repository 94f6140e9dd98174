"""What is on record about one entity: its decisions, what turned out to be true, and what moved each score.

It answers somebody who asks what is known about them (right of access, Art. 15 GDPR), from the results store.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import polars as pl

from bluegold.core.errors import DataError
from bluegold.production.results.end_user import ResultPages
from bluegold.production.results.partitions import Partitions
from bluegold.production.results.results_store import ResultsStore

__all__ = ["ENDINGS", "about", "write"]

ENDINGS = (".csv", ".db", ".json", ".parquet")


def about(store: ResultsStore, names: Collection[str]) -> pl.DataFrame:
    """The decisions about one entity, oldest first, with ``outcome``, ``outcome_at`` and attributions (``a:...``).

    Args:
        store: filled up to where decisions are wanted.
        names: what the entity is called in decisions: its key, and its pseudonym where the key is a personal field.

    Raises:
        DataError: nothing is on record.

    Example:
        >>> import tempfile
        >>> from bluegold.core.workspace import Workspace
        >>> about(ResultsStore(Workspace.create(Path(tempfile.mkdtemp()))), ["N14228"])
        Traceback (most recent call last):
        ...
        bluegold.core.errors.DataError: nothing is on record about that entity. Way out: give it as requests name it.
    """
    parts = store.decisions
    found = parts.scan().filter(pl.col("entity").is_in(list(names))).collect() if parts.files() else pl.DataFrame()
    if found.is_empty():
        raise DataError("nothing is on record about that entity", way_out="give it as requests name it")
    found = found.sort("at", "id")
    ids = found["id"].to_list()
    outcomes = _of(store.outcomes, ids)
    if outcomes is not None:
        newest = outcomes.sort("at").unique("id", keep="last").rename({"at": "outcome_at", "value": "outcome"})
        found = found.join(newest, on="id", how="left", maintain_order="left")
    moved = _of(store.attributions, ids)
    if moved is not None:
        found = found.join(moved.drop("at", "model", "version"), on="id", how="left", maintain_order="left")
    return found


def write(found: pl.DataFrame, out: Path) -> Path:
    """Write it as ``.parquet``, ``.csv`` (lists as JSON), ``.json`` or ``.db`` (a new SQLite file of packed rows).

    Raises:
        DataError: the name has another ending, or cannot be written.
        StoreError: the SQLite file cannot be written.
    """
    kind = out.suffix.lower()
    if kind not in ENDINGS:
        raise DataError(f"'{out}' ends in none of {', '.join(ENDINGS)}", way_out="choose one of these endings")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if kind == ".db":
            out.unlink(missing_ok=True)
            with ResultPages(out) as pages:
                pages.append([found])
        elif kind == ".parquet":
            found.write_parquet(out)
        elif kind == ".json":
            out.write_text(found.write_json(), encoding="utf-8")
        else:
            _flat(found).write_csv(out)
    except OSError as error:
        raise DataError(f"'{out}' cannot be written", why=str(error), way_out="choose another place") from error
    return out


def _of(parts: Partitions, ids: list[str]) -> pl.DataFrame | None:
    return parts.scan().filter(pl.col("id").is_in(ids)).collect() if parts.files() else None


def _flat(found: pl.DataFrame) -> pl.DataFrame:
    texts = [
        pl.Series(name, [None if cell is None else json.dumps(cell.to_list()) for cell in found[name]], dtype=pl.String)
        for name, kind in found.schema.items()
        if isinstance(kind, pl.List)
    ]
    return found.with_columns(texts)
