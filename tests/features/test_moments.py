"""Moments read eight characters at a time are those of the calendar, and nothing else is read so."""

from __future__ import annotations

import datetime as dt

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegold.features.moments import moments


def of_calendar(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007 - contract times are naive
    except ValueError:
        return None


def test_every_number_in_every_place() -> None:
    made = [
        f"{year}-{month:02}-{day:02}T12:00:00"
        for year in (1900, 2000, 2023)
        for month in range(100)
        for day in (28, 29)
    ]
    made += [f"2024-12-{day:02}T12:00:00" for day in range(100)]
    made += [f"2024-12-31T{hour:02}:59:07" for hour in range(100)]
    made += [f"2024-12-31T23:{minute:02}:07" for minute in range(100)]
    made += [f"2024-12-31T23:59:{second:02}" for second in range(100) if second not in {60, 61}]
    assert moments(pl.Series(made)).to_list() == [of_calendar(one) for one in made]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.datetimes(min_value=dt.datetime(1, 1, 1)), min_size=1, max_size=20),
    st.sampled_from(["T", " "]),
)
def test_iso_with_and_without_decimals(made: list[dt.datetime], between: str) -> None:
    assert moments(pl.Series([one.isoformat(between) for one in made])).to_list() == made


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 18), st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="0123456789"))
def test_a_character_out_of_place_is_never_read_as_a_digit(place: int, other: str) -> None:
    good = "2013-10-11T12:13:14"
    text = good[:place] + other + good[place + 1 :]
    found = moments(pl.Series([good, text]))[1]
    assert text == good or found is None or place in {4, 7, 10, 13, 16}


def test_a_year_that_lost_a_digit_names_no_moment() -> None:
    good = "2013-10-11T12:13:14"
    assert moments(pl.Series([good, "\xa0" + good[1:], "0013-10-11T12:13:14"])).to_list() == [
        dt.datetime(2013, 10, 11, 12, 13, 14),
        None,
        dt.datetime(13, 10, 11, 12, 13, 14),
    ]
