"""Moments from text: the usual ISO 8601 layout by arithmetic on its digits, everything else by polars.

A column of text is mostly of one layout, ``YYYY-MM-DDTHH:MM:SS`` with up to six decimals (a blank may stand for the
``T``).  Its digits stand in the same places in every row, so that a column is read with a few operations on whole
arrays; rows that are not of that layout, or name a day that does not exist, are left to polars.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["moments"]

SHORTEST, LONGEST = 19, 26
DIGITS = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18)
MARKS = ((4, b"-"), (7, b"-"), (13, b":"), (16, b":"))
DAY_US, HOUR_US, MINUTE_US, SECOND_US = 86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000
Ints = NDArray[np.int64]


def moments(text: pl.Series) -> pl.Series:
    """The moments that a column of text names, as Datetime("us"); null where it names none.

    Example:
        >>> moments(pl.Series(["2013-01-01T05:15:00", "2013-02-29T05:15:00", "soon"])).to_list()
        [datetime.datetime(2013, 1, 1, 5, 15), None, None]
    """
    known, number = text.is_not_null(), text.len()
    lengths = text.str.len_bytes().fill_null(0).to_numpy()
    found = np.zeros(number, dtype=np.int64)
    read = np.zeros(number, dtype=np.bool_)
    for length in np.flatnonzero(np.bincount(np.minimum(lengths, LONGEST + 1))[SHORTEST : LONGEST + 1]) + SHORTEST:
        rows = lengths == length
        every = bool(rows.all())
        values, good = _iso(text if every else text.filter(pl.Series(rows)), int(length))
        if every:
            found, read = values, good
        else:
            found[rows], read[rows] = values, good
    column = pl.Series(text.name, found).cast(pl.Datetime("us"))
    left = known.to_numpy() & ~read
    if not left.any():
        return column if read.all() else _where(column, pl.Series(read))
    others = text.filter(pl.Series(left))
    first = text.filter(pl.Series(read)).head(1)  # it says in which order year, month and day come
    others = _by_polars(pl.concat([first, others])).tail(others.len())
    places = np.flatnonzero(left)
    return _where(column, pl.Series(read)).scatter(places, others)


def _where(column: pl.Series, keep: pl.Series) -> pl.Series:
    return pl.DataFrame([column.alias("moment"), keep.alias("keep")]).select(
        pl.when("keep").then("moment").alias(column.name)
    )[column.name]


def _empty(text: pl.Series) -> pl.Series:
    return pl.Series(text.name, [None] * text.len(), dtype=pl.Datetime("us"))


def _by_polars(text: pl.Series) -> pl.Series:
    try:
        found = text.str.to_datetime(time_unit="us", strict=False, ambiguous="null")
    except pl.exceptions.PolarsError:  # nothing in it looks like a moment
        return _empty(text)
    return found if found.dtype == pl.Datetime("us") else _empty(text)  # one with an offset is the caller's to judge


def _iso(text: pl.Series, length: int) -> tuple[Ints, NDArray[np.bool_]]:
    """Microseconds since 1970 of rows of one length, and which rows have the layout."""
    raw = np.frombuffer(text.str.join("").cast(pl.Binary).item(), dtype=np.uint8).reshape(-1, length)
    chars = np.ascontiguousarray(raw.T)
    fraction = range(20, length)
    places = (*DIGITS, *fraction)
    digit: Any = {place: chars[place] - np.uint8(48) for place in places}
    good = (chars[10] == ord("T")) | (chars[10] == ord(" "))
    for place, mark in (*MARKS, *(((19, b"."),) if fraction or length > SHORTEST else ())):
        good &= chars[place] == mark[0]
    for place in places:
        good &= digit[place] < 10
    if length == SHORTEST + 1:
        good[:] = False  # a point without decimals
    month, day = _pair(digit, 5), _pair(digit, 8)
    hour, minute, second = _pair(digit, 11), _pair(digit, 14), _pair(digit, 17)
    year = _pair(digit, 0).astype(np.int32) * 100 + _pair(digit, 2)
    good &= (month - np.uint8(1) < 12) & (hour < 24) & (minute < 60) & (second < 60)
    begins, lasts = _calendar()
    index = np.where(good, year * 12 + month - 1, 0)
    good &= (day > 0) & (day <= lasts[index])
    found = (begins[index] + day) * DAY_US
    found += hour * np.int64(HOUR_US)
    found += minute * np.int64(MINUTE_US)
    found += second * np.int64(SECOND_US)
    for position, place in enumerate(fraction):
        if digit[place].any():
            found += digit[place] * np.int64(10 ** (5 - position))
    return found, good


def _pair(digit: dict[int, NDArray[np.uint8]], place: int) -> NDArray[np.uint8]:
    return digit[place] * np.uint8(10) + digit[place + 1]


@functools.cache
def _calendar() -> tuple[Ints, NDArray[np.uint8]]:
    """For every month from year 0: days from 1970 to the day before it, and its number of days."""
    months = np.arange("0000-01", "10000-02", dtype="datetime64[M]")
    begins = months.astype("datetime64[D]").astype(np.int64)
    return begins[:-1] - 1, np.diff(begins).astype(np.uint8)
