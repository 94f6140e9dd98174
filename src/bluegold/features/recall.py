"""Recall: what a piece of a file has to know of the past, so that scoring piece by piece equals scoring at once.

Before the file's first moment the online store's events are the past; from then on the rows of the file are, each for
the rows after it.  So nothing is counted twice when the file's rows were also served, and a file that was never served
has its whole past.  Where rows only ask (``events=False``), the online store's events are the past throughout.

A row that comes in a later piece than rows of later moments does not change what those rows saw.  It sees its own
past whole as long as it is no later than the longest window.
"""

from __future__ import annotations

import functools
from typing import Any

import polars as pl

from bluegold.features.batch import Recalled
from bluegold.features.keys import FIGURES, MOMENT, entity_key, moment_key, moment_of
from bluegold.features.program import FeatureProgram
from bluegold.features.specs import HistorySpec, LookupSpec
from bluegold.features.stored_rows import stored_rows
from bluegold.features.windows import event_frame
from bluegold.stores.protocols import KeyValueSnapshot, KeyValueStore

__all__ = ["Recall"]

Key = tuple[Any, ...]
Span = tuple[int, int]


class Recall:
    """Carries histories from piece to piece and reads looked-up rows from the online store.

    Args:
        program: the version's feature program.
        online: the online store.
        events: whether rows of the file are events for the rows after them.

    Attributes:
        begin: the file's first moment (us since 1970), None before the first row.
        latest: its latest moment so far.
        past: events by stream, the store's before ``begin`` and the file's own since.
    """

    def __init__(self, program: FeatureProgram, online: KeyValueStore, *, events: bool = True) -> None:
        self._program, self._online, self._events = program, online, events
        self._streams = {spec.stream: spec for spec in program.histories}
        self._met: dict[bytes, set[Key]] = {stream: set() for stream in self._streams}
        self.begin: int | None = None
        self.latest: int | None = None
        self.past: dict[bytes, pl.DataFrame] = {}

    def before(self, valid: pl.DataFrame) -> Recalled:
        """What the clean rows of the next piece have to know."""
        time = self._program.time
        if valid.is_empty() or not (self._program.histories or self._program.lookups):
            return Recalled(events=self._events)
        moments = valid[time].to_physical() if time else pl.Series([0])
        low, high = int(moments.min() or 0), int(moments.max() or 0)  # type: ignore[arg-type] # whole numbers
        if self.begin is None:
            self.begin = low
        with self._online.snapshot() as state:
            for stream, spec in self._streams.items():
                self._look_back(state, spec, valid, (low, high))
                self.past.setdefault(stream, _events(spec, valid, []))
        rows = {spec.stream: functools.partial(self._rows, spec, valid, (low, high)) for spec in self._program.lookups}
        return Recalled(past=dict(self.past), rows=rows, events=self._events)

    def _rows(self, spec: LookupSpec, valid: pl.DataFrame, span: Span) -> pl.DataFrame:
        with self._online.snapshot() as state:
            return stored_rows(state, spec, valid, span)

    def after(self, valid: pl.DataFrame) -> None:
        """Keep of a finished piece what later ones can still ask for."""
        if valid.is_empty() or not self._streams:
            return
        top = int(valid[self._program.time].to_physical().max())  # type: ignore[arg-type] # moments are whole numbers
        self.latest = top if self.latest is None else max(self.latest, top)
        for stream, spec in self._streams.items():
            if not self._events:
                self.past.pop(stream, None)
                continue
            edge = self.latest - 2 * spec.window_us
            late = valid.filter(pl.col(self._program.time).to_physical() >= edge)
            kept = self.past[stream].filter(pl.col("_at") >= edge)
            self.past[stream] = pl.concat([kept, event_frame(late, spec, self._program.time)])

    def restore(self, begin: int | None, latest: int | None, past: dict[bytes, pl.DataFrame], met: list[Any]) -> None:
        """Go on from what an earlier run kept; ``met`` is what :meth:`entities` told."""
        self.begin, self.latest, self.past = begin, latest, past
        for stream, keys in zip(self._streams, met, strict=False):
            self._met[stream] = {tuple(key) for key in keys}

    def entities(self) -> list[list[Key]]:
        """The entities whose stored past was read, by stream, in no order that matters; empty once none can matter."""
        return [sorted(met, key=str) for met in self._met.values()]

    def _look_back(
        self, state: KeyValueSnapshot, spec: HistorySpec, valid: pl.DataFrame, span: tuple[int, int]
    ) -> None:
        """Read the stored events that rows of this piece can see."""
        begin, end = self.begin or 0, self.begin or 0
        met = self._met[spec.stream]
        if not self._events:
            met.clear()
            begin, end = span
        elif span[0] - spec.window_us >= end:  # every window starts inside the file
            met.clear()
            return
        found: list[Any] = []
        for key in valid.select(spec.by).unique().drop_nulls().iter_rows():
            if key in met:
                continue
            met.add(key)
            prefix = spec.stream + entity_key(key)
            for place, figures in state.between(prefix + moment_key(begin - spec.window_us), prefix + moment_key(end)):
                at = moment_of(place[len(prefix) : len(prefix) + MOMENT.size])
                found.append((*key, at, FIGURES.unpack(figures)[2]))
        if found or spec.stream not in self.past:
            more = _events(spec, valid, found)
            self.past[spec.stream] = pl.concat([self.past[spec.stream], more]) if spec.stream in self.past else more


def _events(spec: HistorySpec, valid: pl.DataFrame, rows: list[Any]) -> pl.DataFrame:
    schema = {name: valid.schema[name] for name in spec.by} | {"_at": pl.Int64(), "_value": pl.Int64()}
    return pl.DataFrame(rows, schema=schema, orient="row")
