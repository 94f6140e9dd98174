"""The source rows of one version, as its development stored them: found by number, by values, or by likeness."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from bluegold.core.errors import DataError, IntegrityError, StoreError, UsageError
from bluegold.core.nouns import ModelVersion, Noun
from bluegold.core.settings import settings
from bluegold.core.workspace import Workspace
from bluegold.features.cleaning import clean_frame
from bluegold.features.masking import masked
from bluegold.features.program import FeatureProgram
from bluegold.features.system import Data
from bluegold.features.table_files import KINDS, kind_of
from bluegold.registry import Registry
from bluegold.registry.source_rows import ROWS, Part, SourceRows
from bluegold.stores import connect

__all__ = ["SourceRow", "StoredRows", "read_row"]

#: A row is in ``valid`` and maybe in a part; what comes later here says more.
_PARTS: tuple[Part, ...] = ("valid", "quarantine", "train", "validate", "holdout")
_WHOLE: tuple[Part, ...] = ("valid", "quarantine")
_INTERNAL = {"_row", "_flags", "_reasons"}


class SourceRow(Noun, frozen=True, kw_only=True):
    """One source row and what became of it.

    Attributes:
        row: its number in the source, from 0.
        part: ``train``, ``validate``, ``holdout``, ``quarantine``, or ``valid`` for a row that kept the contract and
            was used for nothing (no label, or left out by the split).
        reasons: why it was refused; empty otherwise.
        flags: what was noted about it when it was cleaned.
        values: its values, as stored (pseudonyms where the contract marks a field as personal).
    """

    row: int
    part: Part
    reasons: tuple[str, ...]
    flags: tuple[str, ...]
    values: dict[str, Any]


class StoredRows:
    """The rows behind one version.

    Args:
        registry: where the version is.
        workspace: its workspace.
        version: the version.

    Raises:
        DataError: the version does not say what became of its rows.
        IntegrityError: the version or what it says was changed.
    """

    def __init__(self, registry: Registry, workspace: Workspace, version: ModelVersion) -> None:
        if ROWS not in version.artefacts:
            raise DataError(
                f"{version.ref} does not say what became of its source rows",
                why=f"it has no {ROWS}",
                way_out="develop it again here; versions of other systems have no rows here",
                subject=version.ref,
            )
        self.ref = version.ref
        self.told = msgspec.json.decode(registry.versions.artefact(version.ref, ROWS), type=SourceRows)
        self._keys = workspace.keys
        self._program = registry.versions.artefact(version.ref, "program.json")
        self._objects = connect(settings().object_url or "files", "object", workspace)

    def numbered(self, numbers: Sequence[int]) -> tuple[SourceRow, ...]:
        """The rows of these numbers, in their order; a number beyond the source is left out."""
        parts = self.parts(numbers)
        found: dict[int, SourceRow] = {}
        for kept in _WHOLE:
            table = self._table(kept)
            for row in table.filter(pl.col("_row").is_in(list(numbers))).iter_rows(named=True):
                number = row["_row"]
                found[number] = SourceRow(
                    row=number,
                    part=parts[number],
                    reasons=tuple(row.get("_reasons") or ()),
                    flags=tuple(row.get("_flags") or ()),
                    values={name: _plain(value) for name, value in row.items() if name not in _INTERNAL},
                )
        return tuple(found[number] for number in numbers if number in found)

    def parts(self, numbers: Sequence[int]) -> dict[int, Part]:
        """The part of every row of these numbers; a number beyond the source is left out."""
        return {number: part for part in _PARTS for number in self._members(part, numbers)}

    def where(self, conditions: Mapping[str, str]) -> tuple[int, ...]:
        """The numbers of all rows with these values, kept ones and refused ones, ascending.

        Raises:
            UsageError: no stored table has such a column, or a value cannot be one of it.
        """
        found: set[int] = set()
        known: set[str] = set()
        for part in _WHOLE:
            table = self._table(part)
            known |= set(table.columns) - _INTERNAL
            if set(conditions) <= set(table.columns) - _INTERNAL:
                tests = [_equal(table[name], text) for name, text in conditions.items()]
                found |= set(table.filter(pl.all_horizontal(tests))["_row"].to_list())
        missing = [name for name in conditions if name not in known]
        if missing:
            raise UsageError(
                f"the rows of {self.ref} have no column '{missing[0]}'",
                way_out=f"use one of {', '.join(sorted(known)[:20])}",
            )
        return tuple(sorted(found))

    def like(self, row: pl.DataFrame, *, plain: bool = True) -> tuple[int, ...]:
        """The numbers of all rows that have the values of one row, ascending.

        The row is cleaned as development cleaned it; where it lacks fields of the contract, the columns it shares
        with what is stored are compared.

        Args:
            row: one row, as the source has it.
            plain: it holds personal values; False where pseudonyms stand in their place already.
        """
        contract = FeatureProgram.from_json(self._program).contract
        row = masked(contract, Data(row), self._keys).rows if plain else row
        try:
            cleaned = clean_frame(contract, row)
        except DataError:
            return tuple(sorted({*self._matches("valid", row), *self._matches("quarantine", row)}))
        if cleaned.valid.height:
            return self._matches("valid", cleaned.valid.select(contract.names))
        return self._matches("quarantine", row)

    def sample(self, part: Part, most: int) -> tuple[int, ...]:
        """The first numbers of a part."""
        return tuple(self._table(part, ["_row"])["_row"].head(most).to_list())

    def _matches(self, part: Part, row: pl.DataFrame) -> tuple[int, ...]:
        table = self._table(part)
        shared = [
            name
            for name in row.columns
            if name in table.columns and name not in _INTERNAL and not table.schema[name].is_nested()
        ]
        if not shared or not table.height:
            return ()
        wanted = row.select(pl.col(name).cast(table.schema[name], strict=False) for name in shared)
        found = table.select("_row", *shared).join(wanted, on=shared, how="semi", nulls_equal=True)
        return tuple(sorted(found["_row"].to_list()))

    def _members(self, part: Part, numbers: Sequence[int]) -> list[int]:
        rows = self._table(part, ["_row"])
        found: list[int] = rows.filter(pl.col("_row").is_in(list(numbers)))["_row"].to_list()
        return found

    def _table(self, part: Part, columns: list[str] | None = None) -> pl.DataFrame:
        digest = self.told.tables[part]
        try:
            data = self._objects.get(digest)
        except (StoreError, IntegrityError) as error:
            raise type(error)(
                f"the {part} rows of {self.ref} cannot be read",
                why=error.why or error.what,
                way_out="bring the object back from a backup, or develop the version again",
                subject=f"{self.ref}/{part}",
            ) from error
        return pl.read_parquet(io.BytesIO(data), columns=columns)


def read_row(path: Path, number: int) -> pl.DataFrame:
    """One row of a Parquet or CSV file, without reading the file into memory.

    Args:
        path: the file.
        number: from 0, the first row behind the heading.

    Raises:
        DataError: the file cannot be read or has no such row.
    """
    kind = kind_of(path)
    if not kind:
        raise DataError(f"'{path}' is {KINDS}", way_out="name the file that was developed from")
    try:
        row = _sliced(pl.scan_parquet(path) if kind == "parquet" else pl.scan_csv(path), number)
    except pl.exceptions.ComputeError:
        row = _text_row(path, number)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"'{path}' cannot be read", why=" ".join(str(error).split())[:300], way_out="name a readable file"
        ) from error
    if not row.height:
        raise DataError(f"'{path}' has no row {number}", why="rows are counted from 0", way_out="give a smaller number")
    return row


def _sliced(frame: pl.LazyFrame, number: int) -> pl.DataFrame:
    return frame.slice(number, 1).collect()


def _text_row(path: Path, number: int) -> pl.DataFrame:
    """A row of a CSV file whose later rows do not have the types of its first ones."""
    try:
        return _sliced(pl.scan_csv(path, infer_schema=False), number)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"'{path}' cannot be read", why=" ".join(str(error).split())[:300], way_out="name a readable file"
        ) from error


def _equal(column: pl.Series, text: str) -> pl.Expr:
    """Whether a column has the value that was written as ``text``; empty text means no value."""
    name, kind = column.name, column.dtype
    if text == "":
        return pl.col(name).is_null()
    if kind == pl.String:
        return pl.col(name) == text
    given = pl.Series([text])
    try:
        if kind == pl.Boolean:
            value = given.str.to_lowercase().replace_strict({"true": True, "1": True, "false": False, "0": False})
        elif kind.is_temporal():
            value = given.str.to_datetime(strict=True).cast(kind)
        else:
            value = given.cast(pl.Float64).cast(kind)
    except pl.exceptions.PolarsError as error:
        raise UsageError(
            f"'{text}' is no value of column '{name}'", why=f"it holds {kind}", way_out=f"write one like {column[0]}"
        ) from error
    test: pl.Expr = pl.col(name) == value[0]
    return test


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return value.isoformat() if hasattr(value, "isoformat") else value
