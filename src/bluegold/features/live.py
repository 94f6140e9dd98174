"""Reading the online store: windows and looked-up rows in one consistent state, which a turn of requests can share."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from bluegold.features.keys import BIAS, FIGURES, MOMENT, SUFFIX, Key, entity_key, wrapped
from bluegold.features.row import Window, aggregated
from bluegold.features.specs import HistorySpec, LookupSpec
from bluegold.stores.protocols import KeyValueSnapshot, KeyValueStore

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Later", "LiveReader", "LiveView"]

#: Has a function called once what is going on is over; whether it will be.
Later = Callable[[Callable[[], None]], bool]
MOST_FOUND = 20_000
AHEAD = 8
#: An event's moment, until when it is the last one (both in microseconds since 1970), running count and sum.
Event = tuple[int, int, int, int]
#: Since when a row is the newest, until when, and the row.
Row = tuple[int, int, tuple[Any, ...] | None]
_FIRST, _LAST = -(2**64), 2**64
_NOTHING: Event = (_LAST, _FIRST, 0, 0)
_NO_ROW: Row = (_LAST, _FIRST, None)
_decode = msgspec.msgpack.Decoder(tuple).decode


class LiveView:
    """Windows and looked-up rows in one consistent state of the store.

    What lies around a moment is read once: it answers for every moment up to the entity's next event.
    """

    __slots__ = ("_found", "_kv", "_state", "shared")

    def __init__(self, kv: KeyValueStore) -> None:
        self._state = kv.snapshot()
        self._found = _Found()
        self.shared = False
        """Whether it stays open when a reader leaves it, until :meth:`close`."""

    def __enter__(self) -> LiveView:
        """Open the state."""
        if not self.shared:
            self._kv: KeyValueSnapshot = self._state.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the state back."""
        if not self.shared:
            self._state.__exit__(kind, error, trace)

    def share(self, found: _Found) -> _Found:
        """Stay open for further readers, knowing what was found in an equal state; what is found from now on."""
        version = self._kv.version()
        if version is not None:
            self._found = found if found.version == version and found.size < MOST_FOUND else _Found(version)
            self.shared = True
        return self._found

    def close(self) -> None:
        """Give a shared state back."""
        self.shared = False
        self._state.__exit__(None, None, None)

    def window(self, spec: HistorySpec, entity: Key, at: int) -> Window:
        """Count, fixed-point sum, smallest and largest of the events in ``[at - window, at)``."""
        span = spec.window_us
        start, border = at - span, at - at % span
        if spec.aggregate in {"min", "max"}:
            prefix = spec.stream + entity_key(entity)
            pairs = self._kv.between(prefix + MOMENT.pack(start + BIAS), prefix + MOMENT.pack(at + BIAS))
            found = [FIGURES.unpack(value)[2] for _, value in pairs]
            return (len(found), 0, min(found, default=0), max(found, default=0))
        place = (spec.stream, entity)
        known = self._found.events.get(place)
        if known is None:
            known = self._found.events[place] = _Events()
        last, count, total = known.newest, 0, 0
        if not last[0] < at <= last[1]:
            last = known.newest = self._before(place, at, last, known.after_newest)
        if last[0] >= border:
            count, total, last = last[2], last[3], known.border
            if not last[0] < border <= last[1]:
                last = known.border = self._before(place, border, _NOTHING, [])
        if last[0] >= start:
            count, total, before = count + last[2], total + last[3], known.start
            if not before[0] < start <= before[1]:
                before = known.start = self._before(place, start, before, known.after_start)
            if before[0] >= border - span:
                count, total = count - before[2], total - before[3]
        return (count, wrapped(total), 0, 0)

    def history(self, spec: HistorySpec, entity: Key, at: int) -> float | int | None:
        """The history feature of ``entity`` at ``at`` (microseconds since 1970)."""
        return aggregated(spec, self.window(spec, entity, at))

    def lookup(self, spec: LookupSpec, key: Key, at: int) -> tuple[Any, ...] | None:
        """The looked-up columns for ``key`` as known at ``at``, or None."""
        place = (spec.stream, key)
        if not spec.at:
            return self._fixed(place)
        known = self._found.rows.get(place, _NO_ROW)
        if not known[0] <= at < known[1]:
            known = self._found.rows[place] = self._row(place, at)
        return None if spec.within_us is not None and at - known[0] > spec.within_us else known[2]

    def _before(self, place: tuple[bytes, Key], at: int, earlier: Event, after: list[Event]) -> Event:
        """The last event before ``at``, and until when it is that.

        Requests go with time: where ``earlier`` was asked for before, the events after this one are read as well.
        """
        while after:
            event = after.pop()
            if event[0] < at <= event[1]:
                return event
        prefix = place[0] + entity_key(place[1])
        pair, following = self._kv.around(prefix + MOMENT.pack(at + BIAS))
        until = _moment_in(following, prefix) if following.startswith(prefix) else _LAST
        if until < _LAST and earlier[0] < at:
            after += self._after(prefix, following)
        if pair is None or not pair[0].startswith(prefix):
            return (_FIRST, until, 0, 0)
        count, total, _ = FIGURES.unpack(pair[1])
        return (_moment_in(pair[0], prefix), until, count, total)

    def _after(self, prefix: bytes, first: bytes) -> list[Event]:
        """Events from the key ``first`` on, the latest first."""
        pairs = self._kv.between(first, prefix + b"\xff" * SUFFIX, AHEAD + 1)
        moments = [_moment_in(key, prefix) for key, _ in pairs]
        untils = moments[1:] if len(pairs) > AHEAD else [*moments[1:], _LAST]
        return [
            (moment, until, *FIGURES.unpack(figures)[:2])
            for moment, until, (_, figures) in reversed([*zip(moments, untils, pairs, strict=False)])
        ]

    def _row(self, place: tuple[bytes, Key], at: int) -> Row:
        """The row as known at ``at``, since and until when."""
        prefix = place[0] + entity_key(place[1])
        pair, following = self._kv.around(prefix + MOMENT.pack(at + BIAS))
        until = max(_moment_in(following, prefix), at + 1) if following.startswith(prefix) else _LAST
        if pair is None or not pair[0].startswith(prefix):
            return (_FIRST, until, None)
        return (_moment_in(pair[0], prefix), until, _decode(pair[1]))

    def _fixed(self, place: tuple[bytes, Key]) -> tuple[Any, ...] | None:
        fixed = self._found.fixed
        if place not in fixed:
            value = self._kv.get(place[0] + entity_key(place[1]))
            fixed[place] = None if value is None else _decode(value)
        return fixed[place]


def _moment_in(key: bytes, prefix: bytes) -> int:
    """The moment behind ``prefix``."""
    found: int = MOMENT.unpack_from(key, len(prefix))[0]
    return found - BIAS


class _Events:
    """What was found of one entity: the last event before the moment asked for, before the border of its stretch and
    before its window, and the events that follow on these, the latest first."""

    __slots__ = ("after_newest", "after_start", "border", "newest", "start")

    def __init__(self) -> None:
        self.newest = self.border = self.start = _NOTHING
        self.after_newest: list[Event] = []
        self.after_start: list[Event] = []


class _Found:
    """What was found in one state, by stream and entity."""

    __slots__ = ("events", "fixed", "rows", "version")

    def __init__(self, version: int = -1) -> None:
        self.version = version
        self.events: dict[tuple[bytes, Key], _Events] = {}
        self.rows: dict[tuple[bytes, Key], Row] = {}
        self.fixed: dict[tuple[bytes, Key], tuple[Any, ...] | None] = {}

    @property
    def size(self) -> int:
        """How many entities it knows."""
        return len(self.events) + len(self.rows) + len(self.fixed)


class LiveReader:
    """Opens consistent views of the online store: one a request, or one for all requests of a turn.

    Args:
        kv: the ordered key-value store.
        later: has a function called when the turn of the caller's event loop is over, and says whether there is one;
            None to open a view for every reader.
    """

    def __init__(self, kv: KeyValueStore, later: Later | None = None) -> None:
        self._kv = kv
        self._later = later
        self._open: LiveView | None = None
        self._owner = 0
        self._found = _Found()

    def view(self) -> LiveView:
        """A view of the store as it is now, or was a moment ago in this turn."""
        if self._later is None:
            return LiveView(self._kv)
        shared = self._open
        if shared is not None:
            return shared if self._owner == threading.get_ident() else LiveView(self._kv)
        return self._begin(self._later)

    def _begin(self, later: Later) -> LiveView:
        """A view for the rest of the turn; where there is no turn, or the store has no numbered states, for once."""
        view = LiveView(self._kv)
        if later(self._end):
            with contextlib.ExitStack() as stack:
                stack.enter_context(view)
                self._found = view.share(self._found)
                if view.shared:
                    stack.pop_all()
                    self._open, self._owner = view, threading.get_ident()
        return view

    def _end(self) -> None:
        view, self._open = self._open, None
        if view is not None:
            view.close()

    def history(self, spec: HistorySpec, entity: Key, at: int) -> float | int | None:
        """One history feature; several of one moment are read through :meth:`view`."""
        with self.view() as view:
            return view.history(spec, entity, at)

    def lookup(self, spec: LookupSpec, key: Key, at: int) -> tuple[Any, ...] | None:
        """One looked-up row; several of one moment are read through :meth:`view`."""
        with self.view() as view:
            return view.lookup(spec, key, at)
