"""Continuity: what only shows between rows — repeats, silences, and rows that come late.

The rule: rows come in the order of their moments.  A row earlier than one of a *previous* frame is ``time:late``;
inside a frame the order does not matter.  A row whose moment follows the latest one before it by more than a limit is
``time:silence``.  A row that equals an earlier one in every contract field is ``row:repeated``; it is flagged, never
removed, because an honest repeat looks the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["LATE", "REPEATED", "SILENCE", "Continuity"]

REPEATED, SILENCE, LATE = "row:repeated", "time:silence", "time:late"
#: Rows of a generation; a row is compared with its own and the one before, so with at least so many rows.
GENERATION = 8_000_000
BITS_A_ROW = 32
#: So many sorted runs become one.
RUNS = 8
#: Up to one row in so many may be looked for one by one.
SHARE = 8
Hashes = NDArray[np.uint64]
Bits = NDArray[np.uint8]
Times = NDArray[np.int64]
_PAIRS = np.array([1 << one | 1 << other for one in range(8) for other in range(one)] + [17, 34, 68, 136], np.uint8)


class Continuity:
    """Remembers, in bounded memory, what the next frame has to be compared with.

    Args:
        fields: the contract's columns.
        time: the time column, empty when there is none.
        silence_us: how long nothing may happen, in microseconds; None: no limit.

    Attributes:
        last: the latest moment so far (us since 1970), None before the first.
        hashes: one number for every row of the newest frame, in its order; :meth:`recall` takes them back.

    Example:
        >>> watch = Continuity(("a",))
        >>> _ = watch.judge(pl.DataFrame({"a": [1, 2]}))
        >>> [mark.to_list() for mark in watch.judge(pl.DataFrame({"a": [2, 3, 3]}))]
        [[True, False, True]]
    """

    def __init__(self, fields: Sequence[str], time: str = "", silence_us: int | None = None) -> None:
        self._fields, self._time, self._silence = tuple(fields), time, silence_us
        self.last: int | None = None
        self.hashes: Hashes = np.empty(0, dtype=np.uint64)
        self._young, self._old = _Generation(), _Generation()

    def judge(self, valid: pl.DataFrame) -> list[pl.Series]:
        """One boolean column for each kind of mark that occurs in the frame."""
        self.hashes = valid.select(self._fields).hash_rows().to_numpy()
        times = None
        if self._time and valid.height and not valid[self._time].null_count():
            times = valid[self._time].to_physical().to_numpy()
        marks = [pl.Series(REPEATED, self._repeated(self.hashes, times)), *self._moments(valid)]
        return [mark for mark in marks if mark.any()]

    def recall(self, hashes: Hashes, last: int | None) -> None:
        """Take over what an earlier run remembered of one frame."""
        self._remember(np.sort(hashes))
        self.last = last

    def _moments(self, valid: pl.DataFrame) -> list[pl.Series]:
        if not self._time or valid.is_empty():
            return []
        times = valid[self._time].to_physical().to_numpy()
        before = self.last
        latest = np.maximum.accumulate(times if before is None else np.maximum(times, before))
        self.last = int(latest[-1])
        marks = []
        if before is not None:
            marks.append(pl.Series(LATE, times < before))
        if self._silence is not None:
            previous = np.concatenate(([times[0] if before is None else before], latest[:-1]))
            marks.append(pl.Series(SILENCE, times - previous > self._silence))
        return marks

    def _repeated(self, hashes: Hashes, times: Times | None) -> NDArray[np.bool_]:
        ordered = np.sort(hashes)
        inside = ordered[1:][ordered[1:] == ordered[:-1]]
        outside = self._met(hashes, ordered, times)
        repeated = np.zeros(hashes.size, dtype=np.bool_)
        if outside.size:
            repeated |= np.isin(hashes, outside)
        if inside.size:
            rows = np.flatnonzero(np.isin(hashes, inside))
            _, first = np.unique(hashes[rows], return_index=True)
            repeated[np.delete(rows, first)] = True
        return repeated

    def _met(self, hashes: Hashes, ordered: Hashes, times: Times | None) -> Hashes:
        """Add a frame's hashes, which are given in its order and ascending; those that were known.

        A row that is later than all before it equals none of them, because its moment is one of its fields.
        """
        if times is None:
            return self._remember(ordered)
        late = np.flatnonzero(times <= self.last) if self.last is not None else np.empty(0, dtype=np.int64)
        if late.size * SHARE > times.size:
            return self._remember(ordered)
        known = self._old.among(hashes[late], times[late])
        younger = self._young.among(hashes[late], times[late])
        if self._young.rows >= GENERATION:
            self._old, self._young = self._young, _Generation()
        self._young.put_by(ordered, int(times.max()))
        return np.concatenate((known, younger))

    def _remember(self, ordered: Hashes) -> Hashes:
        """Add ascending hashes; those that were known."""
        known = [self._old.known(ordered)]
        if self._young.rows >= GENERATION:
            known.append(self._young.known(ordered))
            self._old, self._young = self._young, _Generation()
        return np.concatenate((*known, self._young.add(ordered)))


class _Generation:
    """Sorted runs of hashes, and a table of bits that says at once what is surely new.

    A hash sets two bits of one byte, which its first bits name.  A run that is not asked for, because what follows is
    later, is put by with its latest moment; it joins the others when many rows have to be looked for.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._levels: list[list[Hashes]] = [[]]
        self._exponent = 0
        self._table: Bits = np.zeros(0, dtype=np.uint8)
        self._by: list[tuple[int, Hashes]] = []

    def put_by(self, ordered: Hashes, latest: int) -> None:
        """Keep ascending hashes of rows that came until some moment."""
        self._by.append((latest, ordered))
        self.rows += ordered.size

    def among(self, hashes: Hashes, times: Times) -> Hashes:
        """Those of a few hashes that were added or put by, from the moments of their rows."""
        if not hashes.size or not self.rows:
            return hashes[:0]
        ordered, first = np.sort(hashes), times.min()
        runs = [run for latest, run in self._by if latest >= first]
        return np.concatenate((self._looked(ordered), _in_runs(runs, ordered)))

    def _settle(self) -> None:
        """Let what was put by join the others."""
        waiting, self._by = self._by, []
        for _, run in waiting:
            self.rows -= run.size
            self.add(run)

    def known(self, ordered: Hashes) -> Hashes:
        """Those of some ascending hashes that were added before."""
        self._settle()
        return self._looked(ordered)

    def _looked(self, ordered: Hashes) -> Hashes:
        if not self._table.size or not ordered.size:
            return ordered[:0]
        place, bits = self._place(ordered)
        return self._confirmed(ordered[(self._table[place] & bits) == bits])

    def add(self, ordered: Hashes) -> Hashes:
        """Add ascending hashes; those of them that were added before."""
        if not ordered.size:
            return ordered
        self._settle()
        self.rows += ordered.size
        if self.rows * BITS_A_ROW > 8 * self._table.size:
            self._exponent = max(17, (self.rows * BITS_A_ROW // 4).bit_length())
            self._table = np.zeros(2**self._exponent, dtype=np.uint8)
            for level in self._levels:
                for run in level:
                    self._mark(run)
        known = self._confirmed(self._mark(ordered))
        self._keep(ordered)
        return known

    def _keep(self, run: Hashes) -> None:
        for number, level in enumerate(self._levels):
            level.append(run)
            if len(level) < RUNS:
                return
            run = np.sort(np.concatenate(level))
            level.clear()
            if number + 1 == len(self._levels):
                self._levels.append([run])
                return

    def _confirmed(self, maybe: Hashes) -> Hashes:
        return _in_runs((run for level in self._levels for run in level), maybe)

    def _place(self, ordered: Hashes) -> tuple[NDArray[np.int64], Bits]:
        """The byte of every hash, and its bits there."""
        first = ordered >> np.uint64(59 - self._exponent)
        bits = _PAIRS.take((first & np.uint64(31)).view(np.int64))
        return (first >> np.uint64(5)).view(np.int64), bits

    def _mark(self, ordered: Hashes) -> Hashes:
        """Set the bits of ascending hashes; those that may have been there."""
        place, bits = self._place(ordered)
        before = self._table[place]
        self._table[place] = before | bits  # of places in one byte the last counts, so that the others follow
        twice = np.flatnonzero(place[1:] == place[:-1])
        np.bitwise_or.at(self._table, place[twice], bits[twice])
        maybe: Hashes = ordered[(before & bits) == bits]
        return maybe


def _in_runs(runs: Iterable[Hashes], maybe: Hashes) -> Hashes:
    """Those of some hashes that one of the ascending runs holds."""
    found = np.zeros(maybe.size, dtype=np.bool_)
    for run in runs:
        position = np.minimum(np.searchsorted(run, maybe), run.size - 1)
        found |= run[position] == maybe
    confirmed: Hashes = maybe[found]
    return confirmed
