"""What the live traffic replays: rows of a stretch of time as request bodies with the outcome that came true."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from bluegold.features.system import Data, System

__all__ = ["thinned", "write_replay"]

_ENCODER = msgspec.json.Encoder()


def thinned(data: Data, keep: int) -> Data:
    """Every ``keep``-th row, everything else the same.

    Example:
        >>> thinned(Data(pl.DataFrame({"a": range(9)})), 3).rows.height
        3
    """
    return Data(data.rows.gather_every(keep), data.tables, (*data.notes, f"a subset: every {keep}th row"))


def write_replay(system: System, data: Data, path: Path, start: dt.datetime, end: dt.datetime) -> int:
    """Write the rows whose time is in ``[start, end)`` and whose outcome is known, in order of time.

    Args:
        system: whose contract fields make the body and whose target makes the label.
        data: source rows.
        path: JSON-lines file to write.
        start: first moment.
        end: first moment not included.

    Returns:
        The number of rows written.
    """
    labels = system.labels(data.rows)
    chosen = (
        data.rows.with_columns(labels.alias("_label"))
        .filter(pl.col(system.time).is_between(start, end, closed="left") & pl.col("_label").is_not_null())
        .sort(system.time)
    )
    names = system.contract.names
    with path.open("wb") as file:
        for row in chosen.select(*names, "_label").iter_rows(named=True):
            body: dict[str, Any] = {name: row[name] for name in names if row[name] is not None}
            file.write(_ENCODER.encode({"body": body, "label": row["_label"]}) + b"\n")
    return chosen.height
