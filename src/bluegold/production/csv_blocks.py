"""Blocks of whole CSV lines as frames: text, and numbers at once where that says the same.

A contract judges fields as they were written, so that every field is text at first.  Turning text into numbers later
costs as much as reading it; where the reader's own numbers are the same, to the bit and in what they refuse, it reads
them at once.  They differ in blanks before a number, in quoted emptiness, in what is not finite and in what is no
number at all: a block with one of these is read as text, and a column that held one stays text from there on, unless it
was one word for what is missing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from bluegold.features.holes import hole_among_numbers

__all__ = ["Block", "BlockReader"]

_BLANKS = b" \t"
_BEFORE_A_FIELD = np.zeros(256, dtype=np.bool_)
_BEFORE_A_FIELD[list(b',"\n \t')] = True
Spoiled = tuple[pl.Series, ...]


class Block:
    """One block: its rows, what is wrong with how they were written, and the lines behind them.

    Attributes:
        frame: the rows, all text but for columns that were read as numbers.
        spoiled: one boolean column for each kind of fault.
    """

    def __init__(self, frame: pl.DataFrame, spoiled: Spoiled = (), raw: bytes | None = None) -> None:
        self.frame, self.spoiled, self._raw = frame, spoiled, raw

    def original(self, rows: pl.Series) -> pl.DataFrame:
        """The rows of a mask as they were written, all text.

        Args:
            rows: one boolean a row.
        """
        if self._raw is None:
            return self.frame.filter(rows)
        names = self.frame.columns
        if b'"' not in self._raw:  # then every line is a row
            ends = np.flatnonzero(np.frombuffer(self._raw, dtype=np.uint8) == ord("\n")) + 1
            borders = [0, *ends.tolist(), len(self._raw)]
            if len(borders) - 2 + (borders[-1] > borders[-2]) == self.frame.height:
                places = rows.arg_true().to_list()
                return _text(b"".join(self._raw[borders[place] : borders[place + 1]] for place in places), names)[0]
        return _text(self._raw, names)[0].filter(rows)


class BlockReader:
    """Reads the blocks of one file.

    Args:
        names: the file's columns.
        numbers: those that hold numbers, if they hold what they should.

    Example:
        >>> reader = BlockReader(["a", "b"], numbers=["a"])
        >>> block = reader.read(b"1.50,x\\n2,y\\n")
        >>> block.frame["a"].to_list(), block.original(pl.Series([True, False])).rows()
        ([1.5, 2.0], [('1.50', 'x')])
        >>> reader.read(b"n/a,x\\n").frame["a"].to_list()
        ['n/a']
    """

    def __init__(self, names: Sequence[str], numbers: Iterable[str] = ()) -> None:
        self._names = list(names)
        self._numbers = set(numbers) & set(names)
        self._holes: dict[str, str] = {}

    def read(self, raw: bytes) -> Block:
        """The rows of some whole lines."""
        if self._numbers and not _ambiguous(raw):
            types = {name: pl.Float64() if name in self._numbers else pl.String() for name in self._names}
            try:
                frame = pl.read_csv(
                    raw, has_header=False, schema=types, raise_if_empty=False, null_values=self._holes or None
                )
            except pl.exceptions.PolarsError:
                return self._as_text(raw)
            if all(_finite(frame[name]) for name in self._numbers):
                return Block(frame, raw=raw)
        return self._as_text(raw)

    def _as_text(self, raw: bytes) -> Block:
        frame, spoiled = _text(raw, self._names)
        for name in tuple(self._numbers):
            numbers = frame[name].cast(pl.Float64, strict=False)
            if numbers.null_count() == frame[name].null_count() and _finite(numbers):
                continue
            word = hole_among_numbers(frame[name])
            if word and self._holes.setdefault(name, word) == word:
                continue
            self._numbers.discard(name)
            self._holes.pop(name, None)
        return Block(frame, spoiled)


def _finite(column: pl.Series) -> bool:
    return bool(np.isfinite(float(column.sum())))


def _ambiguous(raw: bytes) -> bool:
    """Whether a field may begin with a blank, or be empty and quoted."""
    if b'"' in raw and b'""' in raw:
        return True
    if not any(blank in raw for blank in (b" ", b"\t")):
        return False
    chars = np.frombuffer(raw, dtype=np.uint8)
    blanks = np.flatnonzero((chars == _BLANKS[0]) | (chars == _BLANKS[1]))
    return bool(blanks[0] == 0 or _BEFORE_A_FIELD[chars[blanks - 1]].any())


def _text(raw: bytes, names: Sequence[str]) -> tuple[pl.DataFrame, Spoiled]:
    schema = dict.fromkeys(names, pl.String())
    try:
        return pl.read_csv(raw, has_header=False, schema=schema, raise_if_empty=False), ()
    except pl.exceptions.PolarsError:
        return _line_by_line(raw, names)


def _line_by_line(raw: bytes, names: Sequence[str]) -> tuple[pl.DataFrame, Spoiled]:
    rows, long, broken = [], [], []
    for fields in csv.reader(io.StringIO(raw.decode("utf-8", "replace"), newline="")):
        row: list[str | None] = [field or None for field in fields[: len(names)]]
        rows.append(row + [None] * (len(names) - len(row)))
        long.append(len(fields) > len(names))
        broken.append(any("\ufffd" in field for field in fields))
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String()), orient="row")
    return frame, (pl.Series("row:fields", long, dtype=pl.Boolean), pl.Series("row:text", broken, dtype=pl.Boolean))
