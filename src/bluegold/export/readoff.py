"""Read a first contract off a table: how the file is read, what its columns are called, may hold and are good for.

Nothing here decides for good: every guess is written where its reader sees and changes it.
"""

from __future__ import annotations

import json
import keyword
import re
import unicodedata
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from bluegold.core.errors import DataError
from bluegold.features.holes import hole_among_numbers
from bluegold.features.table_files import csv_head, kind_of

__all__ = ["Column", "Target", "columns_of", "read", "reader_of", "target_of"]

SAMPLE_ROWS = 100_000
MAX_LEVELS = 12  # categories that are listed one by one
MOST_CLASSES = 50
FEW_NUMBERS = 20  # different whole numbers that still look like the names of classes
LABEL = "y"  # development calls the label so: no column of a contract may have this name
YES = ("yes", "y", "true", "t", "positive", "pos", "1")


class Column(NamedTuple):
    """One column: its name in the contract, its line there ("" where it is left out), and remarks for the reader.

    ``cast`` is what the source makes of it first, ``used`` whether it feeds the model as it is, ``features`` are lines
    of further features.
    """

    source: str
    name: str
    line: str
    remark: str = ""
    cast: str = ""
    used: bool = False
    features: tuple[str, ...] = ()


class Target(NamedTuple):
    """What is predicted: the expression, the task it makes, and a sentence that says how it was guessed."""

    expression: str
    task: str
    why: str


def read(data: Path) -> pl.DataFrame:
    """The first rows of a CSV or Parquet file.

    Raises:
        DataError: there is no such file, or it cannot be read.
    """
    if not data.is_file():
        raise DataError(f"there is no file '{data}'", way_out="name a CSV or Parquet file with --data")
    try:
        if kind_of(data) == "parquet":
            return pl.read_parquet(data, n_rows=SAMPLE_ROWS)
        return pl.read_csv(_beginning(data), n_rows=SAMPLE_ROWS, **_options(data))
    except (pl.exceptions.PolarsError, OSError, UnicodeError) as error:
        raise DataError(
            f"'{data}' cannot be read", why=str(error).splitlines()[0], way_out="give a CSV or Parquet file"
        ) from error


def reader_of(data: Path) -> str:
    """The call that reads the whole file as :func:`read` read its beginning."""
    if kind_of(data) == "parquet":
        return f"pl.read_parquet({json.dumps(str(data.resolve()))})"
    told = "".join(f", {name}={value!r}" for name, value in _options(data).items())
    return f"pl.read_csv({json.dumps(str(data.resolve()))}{told})"


def _beginning(data: Path) -> Path | bytes:
    """What the first rows are read from: the file, or the first lines of its text where that has to be expanded."""
    return csv_head(data, SAMPLE_ROWS) if kind_of(data) == "csv.gz" else data


def _options(data: Path) -> dict[str, Any]:
    """How a CSV file is read: separator, encoding, and what stands for a hole in columns of numbers."""
    source = _beginning(data)
    with data.open("rb") as file:
        head = source[: 1 << 20] if isinstance(source, bytes) else file.read(1 << 20)
    options: dict[str, Any] = {"try_parse_dates": True, "infer_schema_length": 10_000}
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # not only a character that the read cut through
            if kind_of(data) == "csv.gz":
                raise DataError(f"'{data}' is no UTF-8 text", way_out="decompress it, or save it as UTF-8") from error
            options["encoding"] = "cp1252"
        text = head.decode("cp1252", errors="replace")
    first = text.splitlines()[0] if text else ""
    separator = max(",;\t|", key=first.count)
    if separator != ",":
        options["separator"] = separator
    holes = _holes(pl.read_csv(source, n_rows=SAMPLE_ROWS, **options))
    return options | ({"null_values": holes} if holes else {})


def _holes(rows: pl.DataFrame) -> dict[str, str]:
    """Columns of numbers that are text only because of one word for what is missing -> that word."""
    found = {column.name: hole_among_numbers(column) for column in rows.select(pl.col(pl.String))}
    return {name: word for name, word in found.items() if word}


def columns_of(rows: pl.DataFrame, target: str) -> list[Column]:
    """What becomes of every column but the target, in order."""
    names = _names([name for name in rows.columns if name != target], {target, LABEL})
    return [_column(rows[source], names[source]) for source in rows.columns if source != target]


def _names(columns: Iterable[str], reserved: Set[str]) -> dict[str, str]:
    """A Python name for every column; one that is a name already, and is not reserved, stays as it is."""
    columns = list(columns)
    found = {name: name for name in columns if _usable(name) and name not in reserved}
    taken = reserved | found.keys()
    for column in columns:
        if column in found:
            continue
        plain = unicodedata.normalize("NFKD", column.replace("ß", "ss")).encode("ascii", "ignore").decode()
        base = re.sub(r"\W+", "_", plain).strip("_") or "column"
        base = f"{base}_" if keyword.iskeyword(base) else base if base[0].isalpha() else f"x{base}"
        name, number = base, 2
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        found[column] = name
        taken.add(name)
    return found


def _usable(name: str) -> bool:
    return name.isidentifier() and name.isascii() and not keyword.iskeyword(name) and not name.startswith("_")


def _column(values: pl.Series, name: str) -> Column:
    """The contract line of one column, or why it is left out."""
    known = values.drop_nulls()
    missing = ', missing="flag"' if values.null_count() else ""
    if known.n_unique() <= 1 and not (missing and known.len()):
        return Column(values.name, name, "", "always the same" if known.len() else "always empty")
    dtype = values.dtype
    if dtype == pl.Boolean:
        return Column(values.name, name, f"bool = bg.flag({missing[2:]})", used=True)
    if isinstance(dtype, pl.Date | pl.Datetime):
        return _moment(values, name, missing)
    if dtype.is_numeric():
        return _number(values, name, missing)
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        cast = "" if dtype == pl.String else "pl.String"
        return _words(values.cast(pl.String), name, missing)._replace(cast=cast)
    return Column(values.name, name, "", f"a {dtype} has no place in a contract")


def _number(values: pl.Series, name: str, missing: str) -> Column:
    known = values.drop_nulls()
    if known.dtype.is_integer() and known.len() > MAX_LEVELS and not missing:
        low, high = int(known.min()), int(known.max())  # type: ignore[arg-type]  # there are numbers
        if known.n_unique() == known.len() == high - low + 1:
            return Column(values.name, name, "", "another whole number in every row, which looks like a row number")
    cast = "pl.Float64" if isinstance(values.dtype, pl.Decimal) else ""
    whole = known.dtype.is_integer()
    finite = known if whole else known.cast(pl.Float64).filter(known.cast(pl.Float64).is_finite())
    if finite.len() < values.len():
        missing = ', missing="flag"'
    bounds = f"ge={finite.min()!r}, le={finite.max()!r}, " if finite.len() else ""
    line = f'{"int" if whole else "float"} = bg.number({bounds}outside="flag"{missing})'
    return Column(values.name, name, line, cast=cast, used=True)


def _moment(values: pl.Series, name: str, missing: str) -> Column:
    zone = getattr(values.dtype, "time_zone", None)
    moments = values.cast(pl.Datetime("us", zone)).drop_nulls()
    parts = (("hour", moments.dt.hour()), ("weekday", moments.dt.weekday()), ("month", moments.dt.month()))
    features = tuple(
        f'system.feature("{name}_{part}", pl.col("{name}").dt.{part}())'
        for part, found in parts
        if found.n_unique() > 1
    )
    given = ", ".join(filter(None, ("utc=True" if zone else "", missing[2:])))
    cast = "" if values.dtype == pl.Datetime("us") else "pl.Datetime" if not zone else f'pl.Datetime("us", {zone!r})'
    return Column(values.name, name, f"dt.datetime = bg.time({given})", cast=cast, features=features)


def _words(values: pl.Series, name: str, missing: str) -> Column:
    known = values.drop_nulls()
    levels: list[str] = known.unique().sort().to_list()
    if len(levels) <= MAX_LEVELS:
        listed = "".join(f"{json.dumps(level, ensure_ascii=False)}, " for level in levels)
        return Column(values.name, name, f'str = bg.category({listed}unknown="flag"{missing})', used=True)
    if len(levels) <= max(MOST_CLASSES, known.len() // 20):
        return Column(values.name, name, f'str = bg.category(unknown="flag"{missing})', used=True)
    longest = max(known.str.len_chars().to_list())
    limit = f"max_length={-(-longest * 2 // 100) * 100}, " if longest > 100 else ""
    line = f"str = bg.text({(limit + missing[2:]).removesuffix(', ')})"
    spaced = known.str.count_matches(" ").mean()
    if isinstance(spaced, float) and spaced >= 2.0:
        return Column(values.name, name, line, features=(f'system.words("{name}")',))
    return Column(values.name, name, line, "most values occur once: kept to find an entity by, not a feature")


def target_of(values: pl.Series) -> Target:
    """What a column makes of a system: a yes or no, a class, or a number.

    Raises:
        DataError: the column holds one value, or is neither classes nor numbers.

    Example:
        >>> target_of(pl.Series("left", ["no", "yes", "no"])).expression
        'pl.col("left") == "yes"'
        >>> target_of(pl.Series("price", [1.5, 2.25, 7.0])).task
        'regression'
    """
    column = f"pl.col({json.dumps(values.name, ensure_ascii=False)})"
    known = values.drop_nulls()
    if isinstance(known.dtype, pl.Categorical | pl.Enum):
        known, column = known.cast(pl.String), f"{column}.cast(pl.String)"
    levels = known.unique().sort().to_list()
    if len(levels) < 2:
        raise DataError(
            f"the target '{values.name}' holds {'one value only' if levels else 'nothing'}: there is nothing to learn",
            way_out="name another column with --target",
        )
    if known.dtype == pl.Boolean:
        return Target(column, "binary", "true is what is predicted")
    if len(levels) == 2:
        return _either(known, levels, column)
    if known.dtype == pl.String and len(levels) <= MOST_CLASSES:
        return Target(column, "multiclass", f"{len(levels)} classes")
    if known.dtype.is_numeric():
        whole = known.dtype.is_integer() or bool((known == known.round()).all())
        if whole and len(levels) <= min(FEW_NUMBERS, known.len() // 10):
            names = f"{column}.cast(pl.Int64).cast(pl.String)"
            return Target(names, "multiclass", f"{len(levels)} different whole numbers are taken for classes")
        return Target(f"{column}.cast(pl.Float64)", "regression", "a number")
    raise DataError(
        f"the target '{values.name}' has {len(levels):,} different values of type {values.dtype}",
        why="that is neither a yes or no, nor a class, nor a number",
        way_out="name another column with --target, or group its values first",
    )


def _either(known: pl.Series, levels: list[object], column: str) -> Target:
    """Two values: which of them is the one that is predicted."""
    said = [level for level in levels if str(level).strip().casefold() in YES or level == 1]
    counts = {level: int((known == level).sum()) for level in levels}
    chosen = said[0] if len(said) == 1 else min(reversed(levels), key=lambda level: counts[level])
    why = f"{chosen!r} of {levels[0]!r} and {levels[1]!r} is what is predicted"
    value = json.dumps(chosen, ensure_ascii=False) if isinstance(chosen, str) else repr(chosen)
    return Target(f"{column} == {value}", "binary", why)
