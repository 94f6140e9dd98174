"""Moments from text: the usual ISO 8601 layout by arithmetic on its digits, everything else by polars.

A column of text is mostly of one layout, ``YYYY-MM-DDTHH:MM:SS`` with up to six decimals (a blank may stand for the
``T``).  Its digits stand in the same places in every row, so that a column is read with a few operations on whole
arrays, eight characters at a time; rows that are not of that layout, or name a day that does not exist, are left to
polars.
"""

from __future__ import annotations

import functools

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["moments"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Chars = NDArray[np.uint8]
Words = NDArray[np.uint64]


def _word(chars: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(chars, "little"))


SHORTEST, LONGEST = 19, 26
BLOCK = 8192
FIRST_YEAR = 1000
#: What stands at characters 0 to 7 and 9 to 16; a character outside a word counts as nothing.
DATE, CLOCK = _word(b"0000-00-"), _word(b"\0T00:00:")
INSIDE, BETWEEN, BLANK = ~np.uint64(255), _word(b"\0\xff"), _word(b"\0" + bytes([ord("T") ^ ord(" ")]))
HIGH = _word(b"\x80" * 8)
#: Added to a digit above 9 or a mark that is another, these reach the high bit.
PAST_DATE, PAST_CLOCK = _word(b"\x76\x76\x76\x76\x7f\x76\x76\x7f"), _word(b"\0\x7f\x76\x76\x7f\x76\x76\x7f")
#: Added to months above 12, hours above 23 and minutes above 59.
LATE_DATE = _word(bytes([0, 0, 0, 0, 0, 128 - 13]))
LATE_CLOCK = _word(bytes([0, 0, 128 - 24, 0, 0, 128 - 60]))
#: Hours and minutes in their bytes; multiplied, their minutes stand above bit 40.
HOURS_MINUTES, TO_MINUTES = _word(b"\0\0\xff\0\0\xff"), np.uint64(1 + (60 << 24))
#: In runs at least so long on average, a month is looked up once a run.
RUN = 16
DAY_US, MINUTE_US, SECOND_US = 86_400_000_000, 60_000_000, 1_000_000


def moments(text: pl.Series) -> pl.Series:
    """The moments that a column of text names, as Datetime("us"); null where it names none.

    Example:
        >>> moments(pl.Series(["2013-01-01T05:15:00", "2013-02-29T05:15:00", "soon"])).to_list()
        [datetime.datetime(2013, 1, 1, 5, 15), None, None]
    """
    even = _even(text)
    if even is not None:
        return even
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


def _even(text: pl.Series) -> pl.Series | None:
    """The moments of a column whose rows are all of one length and have the layout; None when it is no such column."""
    lengths = text.str.len_bytes()
    length = lengths.min()
    if text.null_count() or not isinstance(length, int) or length != lengths.max() or not SHORTEST <= length <= LONGEST:
        return None
    found, good = _iso(text, length)
    return pl.Series(text.name, found).cast(pl.Datetime("us")) if good.all() else None


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
    if found.dtype != pl.Datetime("us"):
        return _empty(text)  # one with an offset is the caller's to judge
    return _where(found, found.dt.year() >= FIRST_YEAR)  # "013-10-11" names no year


def _iso(text: pl.Series, length: int) -> tuple[Ints, Bools]:
    """Microseconds since 1970 of rows of one length, and which rows have the layout."""
    found, good = np.zeros(text.len(), dtype=np.int64), np.zeros(text.len(), dtype=np.bool_)
    if length != SHORTEST + 1:  # else there is a point without decimals
        chars = text.cast(pl.Binary).bin.reinterpret(dtype=pl.Array(pl.UInt8, length)).to_numpy()
        for first in range(0, text.len(), BLOCK):
            rows = slice(first, first + BLOCK)
            found[rows], good[rows] = _digits(np.ascontiguousarray(chars[rows]))
    return found, good


def _digits(chars: Chars) -> tuple[Ints, Bools]:
    """The same of a block of characters (rows, length), eight at a time as one number.

    Taken from the layout, a digit leaves its value and a mark leaves nothing; what is larger reaches a high bit.
    """
    clock = (_eight(chars, 9) & INSIDE) ^ CLOCK
    between = clock & BETWEEN
    if between.any():
        clock ^= np.where(between == BLANK, between, np.uint64(0))
    wrong = (clock + PAST_CLOCK) | clock
    clock = _pairs(clock)
    wrong |= clock + LATE_CLOCK
    good: Bools = (wrong & HIGH) == 0
    found, lasts = _months(_eight(chars, 0))
    day, second = _two(chars, 8), _two(chars, 17)
    good &= (day > 0) & (day <= lasts)
    good &= (second >= 0) & (second < 60)
    clock &= HOURS_MINUTES
    clock *= TO_MINUTES
    clock >>= np.uint64(40)
    for number, unit in ((day, DAY_US), (clock.view(np.int64), MINUTE_US), (second, SECOND_US)):
        found += np.multiply(number, unit, out=number)
    if chars.shape[1] > SHORTEST:
        good &= chars[:, SHORTEST] == ord(".")
    for position, place in enumerate(range(SHORTEST + 1, chars.shape[1])):
        digit = chars[:, place] - np.uint8(48)
        good &= digit < 10
        found += digit * np.int64(10 ** (5 - position))
    return found, good


def _months(words: Words) -> tuple[Ints, Ints]:
    """Microseconds from 1970 to the day before a month, and its days; none where it names no month."""
    starts = np.flatnonzero(words[1:] != words[:-1]) + 1
    in_runs = starts.size * RUN < words.size
    date = (words[np.concatenate(([0], starts))] if in_runs else words) ^ DATE
    wrong = (date + PAST_DATE) | date
    date = _pairs(date)
    wrong |= date + LATE_DATE
    month = (_byte(date, 0) * 100 + _byte(date, 2)) * 16 + _byte(date, 5)
    month *= (wrong & HIGH) == 0
    begins, lasts = (table[month] for table in _calendar())
    if not in_runs:
        return begins, lasts
    lengths = np.diff(starts, prepend=0, append=words.size)
    return np.repeat(begins, lengths), np.repeat(lasts, lengths)


def _two(chars: Chars, place: int) -> Ints:
    """The number of two digits at a place; -1 where there are none."""
    rows, length = chars.shape
    pairs = np.ndarray(shape=(rows,), dtype="<u2", buffer=chars.data, offset=place, strides=(length,))
    return _numbers().take(pairs, mode="wrap")  # no index is outside; the other modes look


def _eight(chars: Chars, place: int) -> Words:
    rows, length = chars.shape
    return np.ndarray(shape=(rows,), dtype="<u8", buffer=chars.data, offset=place, strides=(length,)).copy()


def _pairs(word: Words) -> Words:
    """Every byte ten times itself and the next: a number of two digits where they stand."""
    found: Words = word * np.uint64(10)
    found += word >> np.uint64(8)
    return found


def _byte(pairs: Words, place: int) -> Ints:
    return ((pairs >> np.uint64(8 * place)) & np.uint64(255)).view(np.int64)


@functools.cache
def _numbers() -> Ints:
    """For every pair of characters, the number of two digits that they are, or -1."""
    pairs = np.arange(2**16)
    first, second = (pairs & 255) - ord("0"), (pairs >> 8) - ord("0")
    return np.where((first >= 0) & (first < 10) & (second >= 0) & (second < 10), 10 * first + second, -1)


@functools.cache
def _calendar() -> tuple[Ints, Ints]:
    """For every month of every year from 0, sixteen a year: from 1970 to the day before it (us), and its days."""
    months = np.arange("0000-01", "10000-02", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int64)
    begins, lasts = np.zeros((10_000, 16), dtype=np.int64), np.zeros((10_000, 16), dtype=np.int64)
    begins[:, 1:13] = (months[:-1].reshape(-1, 12) - 1) * DAY_US
    lasts[:, 1:13] = np.diff(months).reshape(-1, 12)
    return begins.ravel(), lasts.ravel()
