"""The online store: what serving needs of the past, in an ordered key-value store shared by processes.

An entity's events lie in order of time, each with the running count and fixed-point sum up to it, so that a
window's mean is three look-ups and a subtraction, whatever the number of events; the result equals the batch
result to the bit.  :mod:`bluegold.features.keys` describes the keys.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bluegold.features.closures import compile_tree
from bluegold.features.keys import (
    BIAS,
    EVENT_BYTES,
    FIGURES,
    MOMENT,
    SUFFIX,
    Key,
    entity_key,
    event_key,
    just_below,
    moment_key,
    wrapped,
)
from bluegold.features.live import Later, LiveReader
from bluegold.features.program import FeatureProgram
from bluegold.features.row import Values, microseconds
from bluegold.features.specs import SATURATION, SCALE, HistorySpec
from bluegold.stores.protocols import KeyValueBatch, KeyValueStore

if TYPE_CHECKING:
    import polars as pl

__all__ = ["OnlineStore"]

Item = TypeVar("Item")
#: Moment in microseconds, identity, fixed-point value.
Event = tuple[int, bytes, int]
CHUNK = 50_000


class OnlineStore:
    """Histories and lookup tables of one program, kept for serving.

    Programs that share a history or a lookup share what is stored for it, so Blue and Gold can serve from one
    store.  Several processes may observe and read at the same time.

    Args:
        kv: the ordered key-value store.
        program: the program whose histories and lookups are kept.

    Raises:
        StoreError: the key-value store fails.
    """

    def __init__(self, kv: KeyValueStore, program: FeatureProgram) -> None:
        self._kv = kv
        self._program = program
        self._histories = tuple({spec.stream: spec for spec in program.histories}.values())
        self._values = [(spec, _value_of(program, spec)) for spec in self._histories]

    @property
    def kv(self) -> KeyValueStore:
        """The key-value store behind it."""
        return self._kv

    def reader(self, later: Later | None = None) -> LiveReader:
        """A reader for :meth:`~bluegold.features.row.RowProgram.vector`; ``later`` as for :class:`LiveReader`."""
        return LiveReader(self._kv, later)

    def observe(self, values: Values, request_id: str) -> None:
        """Add one clean row as an event; the same request again changes nothing.

        Args:
            values: clean values, as ``RowProgram.clean`` returns them.
            request_id: identity of the request.
        """
        self.observe_many([(values, request_id)])

    def observe_many(self, rows: Iterable[tuple[Values, str]]) -> None:
        """Add several clean rows, each with its request's identity, in one transaction."""
        if not self._values:
            return
        time = self._program.time
        found: dict[tuple[int, Key], list[Event]] = {}
        for values, request_id in rows:
            at, event = microseconds(values[time]), event_key(request_id)
            for number, (spec, value_of) in enumerate(self._values):
                key, value = tuple([values[name] for name in spec.by]), value_of(values)
                if value is not None and None not in key:
                    found.setdefault((number, key), []).append((at, event, value))
        with self._kv.batch() as batch:
            for (number, key), events in found.items():
                _insert(batch, self._histories[number], entity_key(key), events)

    def materialise(
        self,
        frame: pl.DataFrame,
        tables: Mapping[str, pl.DataFrame],
        *,
        after: dt.datetime | None = None,
        only_new: bool = False,
    ) -> int:
        """Store past rows and lookup tables; what is stored already stays, and doing it twice changes nothing.

        Args:
            frame: clean rows in any order, none of which was observed online.
            tables: lookup tables.
            after: only rows at or after this moment; give it when earlier ones are beyond every window.
            only_new: leave histories alone that have events already: serving keeps them up to date itself.

        Returns:
            the number of events and table rows looked at.
        """
        from bluegold.features.materialise import past_events, table_entries

        seen = 0
        for lookup in self._program.lookups:
            for rows in _chunks(table_entries(self._program, lookup, tables)):
                seen += len(rows)
                with self._kv.batch() as batch:
                    for key, at, row in rows:
                        place = lookup.stream + entity_key(key) + (b"" if at is None else moment_key(at))
                        batch.put(place, msgspec.msgpack.encode(row))
        for spec in self._histories:
            if only_new and any(self._kv.scan(spec.stream, limit=1)):
                continue
            for events in _chunks(past_events(self._program, spec, frame, after)):
                seen += len(events)
                with self._kv.batch() as batch:
                    for key, group in itertools.groupby(events, key=_first):
                        _add_past(batch, spec, entity_key(key), group)
        return seen


def _first(event: tuple[Key, int, int, int]) -> Key:
    return event[0]


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    source = iter(items)
    while chunk := list(itertools.islice(source, CHUNK)):
        yield chunk


def _add_past(
    batch: KeyValueBatch, spec: HistorySpec, entity: bytes, events: Iterable[tuple[Key, int, int, int]]
) -> None:
    """Add an entity's past events, which come in order of time."""
    prefix, span = spec.stream + entity, spec.window_us
    untouched, segment, count, total = False, None, 0, 0
    for _, at, value, number in events:
        if not untouched:
            last = batch.floor(prefix + b"\xff" * SUFFIX, prefix)
            if last is not None and last[0] >= prefix + moment_key(at - at % span):
                _insert(batch, spec, entity, [(at, MOMENT.pack(number), value)])
                continue
            untouched = True
        if at // span != segment:
            segment, count, total = at // span, 0, 0
        count, total = count + 1, wrapped(total + value)
        batch.put(prefix + moment_key(at) + MOMENT.pack(number), FIGURES.pack(count, total, value))


def _insert(batch: KeyValueBatch, spec: HistorySpec, entity: bytes, events: list[Event]) -> None:
    """Add events of one entity; those that are there already change nothing."""
    prefix, span = spec.stream + entity, spec.window_us
    stretches: dict[int, dict[bytes, int]] = {}
    for at, number, value in sorted(events):
        stretches.setdefault(at - at % span, {}).setdefault(prefix + MOMENT.pack(at + BIAS) + number, value)
    newest = batch.floor(prefix + b"\xff" * SUFFIX, prefix)
    for start, new in stretches.items():
        if newest is not None and newest[0] >= next(iter(new)):
            unseen = {key: value for key, value in new.items() if batch.get(key) is None}
            if unseen:
                _insert_stretch(batch, prefix, (start, start + span), unseen)
            continue
        count, total = 0, 0
        if newest is not None and newest[0] >= prefix + moment_key(start):
            count, total, _ = FIGURES.unpack(newest[1])
        for key, value in new.items():
            count, total = count + 1, wrapped(total + value)
            batch.put(key, FIGURES.pack(count, total, value))
        newest = None  # no later stretch begins before these


def _insert_stretch(batch: KeyValueBatch, prefix: bytes, bounds: tuple[int, int], new: dict[bytes, int]) -> None:
    """Add events, in order, to one stretch; later ones of it (the new ones came late) get their figures corrected."""
    start, end = (prefix + moment_key(bound) for bound in bounds)
    keys = list(new)
    later: list[tuple[bytes, bytes]] = []
    place = just_below(end + b"\0" * EVENT_BYTES)
    while (last := batch.floor(place, prefix)) is not None and last[0] > keys[0]:
        later.append(last)
        place = just_below(last[0])
    count, total = FIGURES.unpack(last[1])[:2] if last is not None and last[0] >= start else (0, 0)
    more = added = index = 0
    for old, figures in [*reversed(later), (end + b"\xff" * EVENT_BYTES, b"")]:
        while index < len(keys) and keys[index] < old:
            value = new[keys[index]]
            more, added = more + 1, added + value
            batch.put(keys[index], FIGURES.pack(count + more, wrapped(total + added), value))
            index += 1
        if figures:
            before, sum_before, own = FIGURES.unpack(figures)
            batch.put(old, FIGURES.pack(before + more, wrapped(sum_before + added), own))
            count, total = before, sum_before


def _value_of(program: FeatureProgram, spec: HistorySpec) -> Callable[[Values], int | None]:
    """The fixed-point value of a row in a stream; None where the row is no event."""
    if spec.value is None:
        return lambda _: 0
    if spec.value.tree is not None:
        closure = compile_tree(spec.value.tree)
    else:
        from bluegold.features.fallback import Fallback

        closure = Fallback(program, spec.value, spec.name)

    def value_of(values: Values) -> int | None:
        value = closure(values)
        if value is None or math.isnan(value):
            return None
        return round(min(max(float(value), -SATURATION), SATURATION) * SCALE)

    return value_of
