"""Reading the online store: windows and looked-up rows in one consistent state, which a turn of requests can share."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from bluegold.features.keys import BIAS, FIGURES, MOMENT, Key, entity_key, moment_of, wrapped
from bluegold.features.row import Window, aggregated
from bluegold.features.specs import HistorySpec, LookupSpec
from bluegold.stores.protocols import KeyValueSnapshot, KeyValueStore

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Later", "LiveReader", "LiveView"]

#: Has a function called once what is going on is over; whether it will be.
Later = Callable[[Callable[[], None]], bool]
MOST_FOUND = 20_000
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
            fits = found.version == version and len(found.floors) + len(found.fixed) < MOST_FOUND
            self._found = found if fits else _Found(version)
            self.shared = True
        return self._found

    def close(self) -> None:
        """Give a shared state back."""
        self.shared = False
        self._state.__exit__(None, None, None)

    def window(self, spec: HistorySpec, entity: Key, at: int) -> Window:
        """Count, fixed-point sum, smallest and largest of the events in ``[at - window, at)``."""
        prefix, span = spec.stream + entity_key(entity), spec.window_us
        pack = MOMENT.pack
        end, start = prefix + pack(at + BIAS), prefix + pack(at - span + BIAS)
        if spec.aggregate in {"min", "max"}:
            found = [FIGURES.unpack(value)[2] for _, value in self._kv.between(start, end)]
            return (len(found), 0, min(found, default=0), max(found, default=0))
        floor = self._floor  # a key between two keys of one entity is that entity's: no prefix to compare
        count = total = 0
        border_at = at - at % span
        border = prefix + pack(border_at + BIAS)
        last = floor((prefix, 0), end)
        if last is not None and last[0] >= border:
            count, total, _ = FIGURES.unpack(last[1])
            last = floor((prefix, 1), border)
        if last is not None and last[0] >= start:
            more, also, _ = FIGURES.unpack(last[1])
            count, total = count + more, total + also
            before = floor((prefix, span), start)
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
            return self._fixed(prefix)
        found = self._floor((prefix, 0), prefix + MOMENT.pack(at + BIAS))
        if found is None or not found[0].startswith(prefix):
            return None
        if spec.within_us is not None and at - moment_of(found[0]) > spec.within_us:
            return None
        return _decode(found[1])

    def _floor(self, place: tuple[bytes, int], key: bytes) -> tuple[bytes, bytes] | None:
        """The last pair not above ``key``; ``place`` says between which moments of whom it is looked for."""
        known = self._found.floors.get(place)
        if known is None or not known[0] <= key < known[1]:
            pair, until = self._kv.around(key)
            known = self._found.floors[place] = (b"" if pair is None else pair[0], until, pair)
        return known[2]

    def _fixed(self, place: bytes) -> tuple[Any, ...] | None:
        fixed = self._found.fixed
        if place not in fixed:
            value = self._kv.get(place)
            fixed[place] = None if value is None else _decode(value)
        return fixed[place]


class _Found:
    """What was found in one state: pairs with the keys between which they are the floor, and rows without a moment."""

    __slots__ = ("fixed", "floors", "version")

    def __init__(self, version: int = -1) -> None:
        self.version = version
        self.floors: dict[tuple[bytes, int], tuple[bytes, bytes, tuple[bytes, bytes] | None]] = {}
        self.fixed: dict[bytes, tuple[Any, ...] | None] = {}


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
