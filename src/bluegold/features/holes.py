"""Holes: the words by which files of text write that a value is not there.

They count where a column is no text itself: among numbers, moments, and yes and no.  In a category or a text the same
words may be meant (NA is a country), so that they stay there what they are.
"""

from __future__ import annotations

import polars as pl

__all__ = ["HOLES", "hole_among_numbers", "is_hole"]

HOLES = ("NA", "N/A", "NaN", "nan", "NULL", "null", "None", "?", "-", ".")


def is_hole(column: pl.Series) -> pl.Series:
    """Where a column of text says that nothing is there; null where it is null.

    Example:
        >>> is_hole(pl.Series(["1", "NA", "n.a.", None])).to_list()
        [False, True, False, None]
    """
    return column.is_in(HOLES)


def hole_among_numbers(column: pl.Series) -> str:
    """The one word that keeps a column of text from being a column of numbers; nothing where there is no such word.

    Example:
        >>> hole_among_numbers(pl.Series(["1", "NA", " 2.5"])), hole_among_numbers(pl.Series(["x", "NA"]))
        ('NA', '')
    """
    given = column.drop_nulls()
    rest = given.filter(
        given.str.strip_chars().cast(pl.Float64, strict=False).is_finite().fill_null(value=False).not_()
    )
    words = rest.unique()
    return str(words[0]) if words.len() == 1 and words[0] in HOLES and rest.len() < given.len() else ""
