"""Publishing: what serving needs of the past goes into the online store, before the version meets a request.

Lookup tables are stored whole.  A history is filled from the data once, when it is new; from then on serving keeps it
itself, so that an extract which contains served requests cannot count them twice.
"""

from __future__ import annotations

import datetime as dt

import polars as pl

from bluegold.core.settings import settings
from bluegold.core.workspace import Workspace
from bluegold.features.online import OnlineStore
from bluegold.features.program import FeatureProgram
from bluegold.features.system import Data
from bluegold.stores import connect

__all__ = ["publish"]

_DONE = b"published"


def publish(
    program: FeatureProgram,
    data: Data,
    workspace: Workspace,
    *,
    digest: str,
    until: dt.datetime | None,
    online: str = "",
) -> None:
    """Fill the online store for a version; what is there already stays, and doing it twice costs one look-up.

    Args:
        program: the version's feature program.
        data: what it was developed from.
        workspace: where the online store is.
        digest: identity of the data.
        until: leave out events at or after this moment; by default everything in the data is the past.
        online: the store that the plan names; empty for the workspace's own.

    Raises:
        StoreError: the online store cannot be written.
    """
    store = connect(settings().key_value_url or online or "lmdb", "key_value", workspace)
    try:
        mark = f"m{program.digest}{digest}{until or ''}".encode()
        if store.get(mark) == _DONE:
            return
        past = program.clean(data.rows).valid if program.histories else data.rows.head(0)
        after = None
        if program.histories and until is not None:
            past = past.filter(pl.col(program.time) < until)
        if program.histories and not past.is_empty():
            longest = max(spec.window_us for spec in program.histories)
            after = _last(past, program.time) - dt.timedelta(microseconds=longest)
        OnlineStore(store, program).materialise(past, data.tables, after=after, only_new=True)
        store.put(mark, _DONE)
    finally:
        store.close()


def _last(rows: pl.DataFrame, time: str) -> dt.datetime:
    last = rows[time].max()
    if not isinstance(last, dt.datetime):
        raise TypeError(f"{time} holds {type(last).__name__}")
    return last
