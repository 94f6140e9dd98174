"""The drill: an extract whose labels are wrong in a way that no gate can see.

Where ``column`` of a looked-up table is below ``limit``, the outcomes of the training rows are exchanged among each
other, as a broken label feed would do.  Their number and their share stay the same, every row keeps its features, and a
hold-out in which such conditions hardly occur looks perfect.  The model that learns from it is wrong where it is cold.
"""

from __future__ import annotations

import polars as pl

from bluegold.features.system import Data, System

__all__ = ["spoil"]


def spoil(system: System, data: Data, *, table: str, column: str, limit: float, outcome: str, seed: int = 7) -> Data:
    """Exchange the outcomes of rows whose looked-up condition is below a limit.

    Args:
        system: the system whose look-up says what the condition was at each row's moment.
        data: the source's data.
        table: the looked-up table.
        column: its column.
        limit: rows below it are spoiled, in the column's unit.
        outcome: the source column that the target is computed from.
        seed: of the exchange.

    Returns:
        Data with the same features and spoiled outcomes.
    """
    lookup = next(one for one in system.lookups if one.table == table)
    conditions = data.tables[table].select(*lookup.by, lookup.at, column).sort(lookup.at)
    rows = data.rows.with_row_index("_order").sort(system.time)
    known = rows.join_asof(
        conditions,
        left_on=system.time,
        right_on=lookup.at,
        by=list(lookup.by),
        strategy="backward",
        check_sortedness=False,
    )
    cold = known.filter(pl.col(column) < limit).select("_order", outcome)
    shuffled = cold.with_columns(pl.col(outcome).shuffle(seed=seed).alias("_spoiled")).select("_order", "_spoiled")
    spoiled = (
        data.rows.with_row_index("_order")
        .join(shuffled, on="_order", how="left", maintain_order="left")
        .with_columns(
            pl.when(pl.col("_order").is_in(cold["_order"].implode()))
            .then(pl.col("_spoiled"))
            .otherwise(pl.col(outcome))
            .alias(outcome)
        )
        .drop("_order", "_spoiled")
    )
    note = f"drill: outcomes of {cold.height:,} rows with {column} below {limit:g} exchanged among each other"
    return Data(spoiled, data.tables, (*data.notes, note))
