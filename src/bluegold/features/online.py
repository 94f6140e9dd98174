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
from typing import TYPE_CHECKING, Any, TypeVar

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
    moment_of,
    wrapped,
)
from bluegold.features.program import FeatureProgram
from bluegold.features.row import Values, Window, aggregated, microseconds
from bluegold.features.specs import SATURATION, SCALE, HistorySpec, LookupSpec
from bluegold.stores.protocols import KeyValueBatch, KeyValueSnapshot, KeyValueStore

if TYPE_CHECKING:
    from types import TracebackType

    import polars as pl

__all__ = ["LiveReader", "LiveView", "OnlineStore"]

Item = TypeVar("Item")
#: Moment in microseconds, identity, fixed-point value.
Event = tuple[int, bytes, int]
CHUNK = 50_000
_decode = msgspec.msgpack.Decoder(tuple).decode


class LiveView:
    """Windows and looked-up rows in one consistent state of the store."""

    __slots__ = ("_kv", "_state")

    def __init__(self, kv: KeyValueStore) -> None:
        self._state = kv.snapshot()

    def __enter__(self) -> LiveView:
        """Open the state."""
        self._kv: KeyValueSnapshot = self._state.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the state back."""
        self._state.__exit__(kind, error, trace)

    def window(self, spec: HistorySpec, entity: Key, at: int) -> Window:
        """Count, fixed-point sum, smallest and largest of the events in ``[at - window, at)``."""
        prefix, span = spec.stream + entity_key(entity), spec.window_us
        pack = MOMENT.pack
        end, start = prefix + pack(at + BIAS), prefix + pack(at - span + BIAS)
        if spec.aggregate in {"min", "max"}:
            found = [FIGURES.unpack(value)[2] for _, value in self._kv.between(start, end)]
            return (len(found), 0, min(found, default=0), max(found, default=0))
        floor = self._kv.floor  # a key between two keys of one entity is that entity's: no prefix to compare
        count = total = 0
        border_at = at - at % span
        border = prefix + pack(border_at + BIAS)
        last = floor(end)
        if last is not None and last[0] >= border:
            count, total, _ = FIGURES.unpack(last[1])
            last = floor(border)
        if last is not None and last[0] >= start:
            more, also, _ = FIGURES.unpack(last[1])
            count, total = count + more, total + also
            before = floor(start)
            if before is not None and before[0] >= prefix + pack(border_at - span + BIAS):
                more, also, _ = FIGURES.unpack(before[1])
                count, total = count - more, total - also
        return (count, wrapped(total), 0, 0)

    def history(self, spec: HistorySpec, entity: Key, at: int) -> float | int | None:
        """The history feature of ``entity`` at ``at`` (microseconds since 1970)."""
        return aggregated(spec, self.window(spec, entity, at))

    def lookup(self, spec: LookupSpec, key: Key, at: int) -> tuple[Any, ...] | None:
        """The looked-up columns for ``key`` as known at ``at``, or None."""
        prefix = spec.stream + entity_key(key)
        if not spec.at:
            fixed = self._kv.get(prefix)
            return None if fixed is None else _decode(fixed)
        found = self._kv.floor(prefix + moment_key(at), prefix)
        if found is None or (spec.within_us is not None and at - moment_of(found[0]) > spec.within_us):
            return None
        return _decode(found[1])


class LiveReader:
    """Opens consistent views of the online store; one a request."""

    def __init__(self, kv: KeyValueStore) -> None:
        self._kv = kv

    def view(self) -> LiveView:
        """A view of the store as it is now."""
        return LiveView(self._kv)

    def history(self, spec: HistorySpec, entity: Key, at: int) -> float | int | None:
        """One history feature; several of one moment are read through :meth:`view`."""
        with self.view() as view:
            return view.history(spec, entity, at)

    def lookup(self, spec: LookupSpec, key: Key, at: int) -> tuple[Any, ...] | None:
        """One looked-up row; several of one moment are read through :meth:`view`."""
        with self.view() as view:
            return view.lookup(spec, key, at)


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

    def reader(self) -> LiveReader:
        """A reader for :meth:`~bluegold.features.row.RowProgram.vector`."""
        return LiveReader(self._kv)

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
        key = prefix + moment_key(at) + number
        if batch.get(key) is None:
            stretches.setdefault(at - at % span, {}).setdefault(key, value)
    for start, new in stretches.items():
        _insert_stretch(batch, prefix, (start, start + span), new)


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
        from bluegold.features.fallback import one_row

        closure = one_row(program, spec.value)

    def value_of(values: Values) -> int | None:
        value = closure(values)
        if value is None or math.isnan(value):
            return None
        return round(min(max(float(value), -SATURATION), SATURATION) * SCALE)

    return value_of
