"""The system: one object that says what the data, the features, the target and the candidate models are."""

from __future__ import annotations

import copy
import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any, Unpack

import msgspec
import polars as pl

from bluegold.core.errors import DataError, DefinitionError
from bluegold.core.plan import Plan
from bluegold.features.cleaning import clean_frame
from bluegold.features.contract import Contract
from bluegold.features.fields import ContractSpec
from bluegold.features.options import CALIBRATIONS, Options
from bluegold.features.splits import Split, by_share
from bluegold.features.targets import labels_of

__all__ = ["Data", "Feature", "History", "Lookup", "ModelChoice", "Options", "System", "Vector"]

SPAN = re.compile(r"^(\d+)\s*(s|m|h|d|w)$")
MOST_WORDS = 2_000
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
TROUBLE = (OSError, ImportError, ValueError, KeyError, TypeError, AttributeError, pl.exceptions.PolarsError)


class Data:
    """What a source returns: rows, the tables that lookups read, and notes on what was done to them.

    Args:
        rows: one row a decision, contract columns beside whatever the target and the split need.
        tables: lookup tables by name.
        notes: sentences for the summary and the document (rows left out, values emptied, and why).
    """

    def __init__(
        self, rows: pl.DataFrame, tables: Mapping[str, pl.DataFrame] | None = None, notes: tuple[str, ...] = ()
    ) -> None:
        self.rows, self.tables, self.notes = rows, dict(tables or {}), tuple(notes)


class ModelChoice(msgspec.Struct, frozen=True, kw_only=True):
    """One family of models to try: fixed ``params`` and the values to ``search``."""

    family: str
    search: dict[str, tuple[Any, ...]] = {}
    params: dict[str, Any] = {}


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """A feature computed from the row itself."""

    name: str
    expression: pl.Expr


class History(msgspec.Struct, frozen=True, kw_only=True):
    """An aggregate over the same entity's events in ``[t - window, t)``."""

    name: str
    expression: pl.Expr
    by: tuple[str, ...]
    window: dt.timedelta


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of a table: the row of the same key, with ``at`` the latest one at or before the moment."""

    table: str
    by: tuple[str, ...]
    columns: tuple[str, ...]
    at: str = ""
    within: dt.timedelta | None = None


class Vector(msgspec.Struct, frozen=True, kw_only=True):
    """A field that becomes several columns: the numbers of an array, or the ``most`` common words of a text."""

    name: str
    field: str
    most: int = 0


class System:
    """One AI system, defined once; training, batch scoring and serving are derived from it.

    Args:
        name: lower-case name with hyphens.
        contract: the record's class.
        target: a polars expression over *source* columns that gives the answer of a row, or null where it is unknown.
        time: the contract field that says when the decision is taken; needed for histories and timed lookups.
        protected: contract fields that fairness is judged by.
        split: how rows are divided; by chance by default.
        options: see :class:`Options`.

    Raises:
        DefinitionError: names do not fit together; the message names the place.

    Example:
        >>> from bluegold.features.contract import number
        >>> class Row(Contract):
        ...     x: float = number()
        >>> system = System("tiny", contract=Row, target=pl.col("y") > 0)
        >>> system.feature("twice", pl.col("x") * 2)
        >>> system.names
        ('twice',)
    """

    def __init__(
        self,
        name: str,
        *,
        contract: type[Contract],
        target: pl.Expr,
        time: str = "",
        protected: tuple[str, ...] = (),
        split: Split | None = None,
        **options: Unpack[Options],
    ) -> None:
        self.name, self.target, self.time = name, target, time
        self.task, self.folds = options.get("task", ""), options.get("folds", 0)
        self.calibration = options.get("calibration", "")
        self.contract: ContractSpec = contract.spec
        self.protected, self.entity = tuple(protected), options.get("entity", "")
        self.split: Split = split or by_share()
        self.features: tuple[Feature, ...] = ()
        self.histories: tuple[History, ...] = ()
        self.lookups: tuple[Lookup, ...] = ()
        self.vectors: tuple[Vector, ...] = ()
        self.models: tuple[ModelChoice, ...] = ()
        self.names: tuple[str, ...] = ()
        self.plan = Plan(system=name)
        self.kept_program = ""
        self.source_text: dict[str, str] = {}
        self._source: Callable[[], Data] | None = None
        self._check_head()

    def feature(self, name: str, expression: pl.Expr | None = None) -> None:
        """Add a feature computed from the row: contract fields, looked-up and history columns.

        Args:
            name: the feature's name.
            expression: how it is computed; the contract field of that name by default.
        """
        self._claim(name)
        expression = pl.col(name) if expression is None else expression
        self.features += (Feature(name=name, expression=expression),)

    def use(self, *fields: str) -> None:
        """Add contract fields as features, as they are; an array gives a column for each of its numbers."""
        for name in fields:
            self._field(name, "system.use")
            if self.contract.field(name).kind == "array":
                self._claim(name)
                self.vectors += (Vector(name=name, field=name),)
            else:
                self.feature(name)

    def words(self, field: str, *, most: int = 200) -> None:
        """Add the words of a text field as features: a TF-IDF weight for each word of a learned vocabulary.

        Args:
            field: a ``bg.text`` field.
            most: how many words, the commonest of the training rows.
        """
        self._field(field, "system.words")
        if self.contract.field(field).kind != "text" or not 1 <= most <= MOST_WORDS:
            raise DefinitionError(
                f"system.words('{field}', most={most}) makes no columns",
                way_out=f"name a bg.text field, and 1 to {MOST_WORDS} words",
            )
        self._claim(field)
        self.vectors += (Vector(name=field, field=field, most=most),)

    def history(self, name: str, expression: pl.Expr, *, by: str | tuple[str, ...], window: str) -> None:
        """Add an aggregate over the entity's past.

        Args:
            name: the feature's name.
            expression: ``pl.col("x").mean()``, ``.sum()``, ``.count()``, ``.min()``, ``.max()``, or ``pl.len()``.
            by: the contract field (or fields) that identify the entity.
            window: how far back, for example ``3h`` or ``7d``; an event at the very moment does not count.
        """
        if not self.time:
            raise DefinitionError(f"history '{name}' needs a time", way_out="give bg.System(..., time='field')")
        found = History(
            name=name, expression=expression, by=self._key(by, f"history '{name}'"), window=_span(window, name)
        )
        self._claim(name)
        self.histories += (found,)

    def lookup(
        self,
        table: str,
        *,
        by: str | tuple[str, ...],
        columns: tuple[str, ...],
        at: str = "",
        within: str = "",
    ) -> None:
        """Add columns of a table as features, as they were known at the moment of the decision.

        Args:
            table: name of the table in the source's ``tables``.
            by: contract field (or fields) that are the table's key, under the same names.
            columns: the columns to add.
            at: the table's time column; the latest row at or before the moment counts.  Without it the table is fixed.
            within: how old that row may be, for example ``2h``; any age by default.
        """
        if at and not self.time:
            raise DefinitionError(f"lookup '{table}' needs a time", way_out="give bg.System(..., time='field')")
        if within and not at:
            raise DefinitionError(f"lookup '{table}' has an age limit but no time column", way_out="give at='column'")
        limit = _span(within, table) if within else None
        by = self._key(by, f"lookup '{table}'")
        for column in columns:
            self._claim(column)
        self.lookups += (Lookup(table=table, by=by, columns=tuple(columns), at=at, within=limit),)

    def model(self, family: str, *, search: Mapping[str, tuple[Any, ...]] | None = None, **params: Any) -> None:
        """Add a family of models to try.

        Args:
            family: name of the family, for example ``lightgbm`` or ``logistic``.
            search: values to search, per parameter.
            params: fixed parameters.
        """
        found = {key: tuple(values) for key, values in (search or {}).items()}
        empty = [key for key, values in found.items() if not values]
        if empty:
            raise DefinitionError(f"model '{family}': search of '{empty[0]}' is empty", way_out="list its values")
        self.models += (ModelChoice(family=family, search=found, params=params),)

    def source(self, function: Callable[[], Data]) -> Callable[[], Data]:
        """Decorator: this function reads the data."""
        self._source = function
        return function

    def with_split(self, split: Split) -> System:
        """A copy of this system that divides its rows differently."""
        other = copy.copy(self)
        other.split = split
        return other

    def with_program(self, program: str) -> System:
        """A copy of this system that keeps a feature program (its JSON) where it is defined as this system is."""
        other = copy.copy(self)
        other.kept_program = program
        return other

    def with_source(self, function: Callable[[], Data]) -> System:
        """A copy of this system that reads other data."""
        other = copy.copy(self)
        other._source = function
        return other

    def load(self) -> Data:
        """Read the data and check that it can be used.

        Raises:
            DataError: the source is missing, fails, or returns no usable rows.
        """
        if self._source is None:
            raise DataError(f"system '{self.name}' has no source", way_out="decorate a function with @system.source")
        try:
            data = self._source()
        except TROUBLE as error:
            raise DataError(
                f"the source of '{self.name}' failed",
                why=f"{type(error).__name__}: {error}",
                way_out="correct the function under @system.source or the data it reads",
            ) from error
        if not isinstance(data, Data) or not isinstance(data.rows, pl.DataFrame):
            raise DataError(
                f"the source of '{self.name}' returned {type(data).__name__}", way_out="return bg.Data(rows=DataFrame)"
            )
        if data.rows.is_empty():
            raise DataError(f"the source of '{self.name}' returned no rows", way_out="check the file it reads")
        self.labels(data.rows.head(0))
        for lookup in self.lookups:
            self._check_table(lookup, data.tables)
        return data

    def labels(self, rows: pl.DataFrame) -> pl.Series:
        """The target of every source row: true or false, the name of a class, or a number; null where it is unknown.

        Raises:
            DataError: a column that the target names is missing, or its type does not fit the task.
        """
        missing = [name for name in self.target.meta.root_names() if name not in rows.columns]
        if missing:
            raise DataError(
                f"the target of '{self.name}' needs column '{missing[0]}'",
                why=f"the rows have {', '.join(rows.columns[:20])}",
                way_out="add the column in the source, or correct target=",
            )
        try:
            found = rows.select(self.target.alias("y")).to_series()
        except pl.exceptions.PolarsError as error:
            raise DataError(
                f"the target of '{self.name}' does not fit its data",
                why=str(error).splitlines()[0],
                way_out="correct target=, or the type of the column in the source",
            ) from error
        return labels_of(found, self.task, self.name)

    def partition(self, rows: pl.DataFrame) -> pl.Series:
        """``train``, ``validate``, ``holdout`` or ``unused`` for every source row."""
        if not self.time:
            return self.split.assign(rows, None)
        field = self.contract.field(self.time)
        only = ContractSpec(name="time", description="", fields=(msgspec.structs.replace(field, missing="flag"),))
        found = clean_frame(only, rows).valid
        times = pl.DataFrame({"_row": pl.int_range(rows.height, dtype=pl.Int64, eager=True)}).join(
            found, on="_row", how="left", maintain_order="left"
        )
        return self.split.assign(rows, times[self.time])

    def _claim(self, name: str) -> None:
        if not name or name.startswith("_"):
            raise DefinitionError(f"'{name}' cannot be a feature's name", way_out="start it with a letter")
        if name in self.names:
            raise DefinitionError(f"feature '{name}' is defined twice", way_out="rename one of them")
        self.names += (name,)

    def _field(self, name: str, what: str) -> None:
        if name not in self.contract.names:
            raise DefinitionError(
                f"{what} of '{self.name}' names '{name}'",
                why="the contract has no such field",
                way_out=f"use one of {', '.join(self.contract.names[:20])}",
            )

    def _key(self, by: str | tuple[str, ...], what: str) -> tuple[str, ...]:
        found = (by,) if isinstance(by, str) else tuple(by)
        for name in found:
            self._field(name, what)
            if self.contract.field(name).kind in {"time", "array"} or self._is_float(name):
                raise DefinitionError(f"{what}: '{name}' cannot be a key", way_out="use a category, text, flag or int")
        return found

    def _is_float(self, name: str) -> bool:
        field = self.contract.field(name)
        return field.kind == "number" and not field.integer

    def _check_head(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", self.name):
            raise DefinitionError(
                f"'{self.name}' cannot be a system's name", way_out="use lower-case letters, digits and hyphens"
            )
        if self.folds not in {0, *range(2, 21)}:
            raise DefinitionError(f"folds={self.folds} of '{self.name}'", way_out="use 2 to 20, or 0 for none")
        if self.calibration not in CALIBRATIONS:
            way_out = f"use one of {', '.join(CALIBRATIONS[1:])}, or leave it out"
            raise DefinitionError(f"calibration='{self.calibration}' of '{self.name}' is not known", way_out=way_out)
        for name in (*self.protected, *((self.entity,) if self.entity else ()), *((self.time,) if self.time else ())):
            self._field(name, "a name")
        if self.time and self.contract.field(self.time).kind != "time":
            raise DefinitionError(f"time='{self.time}' of '{self.name}' is no bg.time() field", way_out="declare it so")
        if self.time and self.contract.field(self.time).missing != "refuse":
            raise DefinitionError(f"time field '{self.time}' may be missing", way_out="use missing='refuse'")
        leak = [name for name in self.target.meta.root_names() if name in self.contract.names]
        if leak:
            raise DefinitionError(
                f"target column '{leak[0]}' of '{self.name}' is a contract field",
                why="the answer would be an input",
                way_out="take it out of the contract",
            )

    def _check_table(self, lookup: Lookup, tables: Mapping[str, pl.DataFrame]) -> None:
        if lookup.table not in tables:
            raise DataError(
                f"lookup table '{lookup.table}' of '{self.name}' is missing",
                way_out=f"return bg.Data(rows, tables={{'{lookup.table}': ...}}) from the source",
            )
        table = tables[lookup.table]
        for name in (*lookup.by, *lookup.columns, *((lookup.at,) if lookup.at else ())):
            if name not in table.columns:
                raise DataError(
                    f"lookup table '{lookup.table}' has no column '{name}'",
                    way_out=f"use one of {', '.join(table.columns[:20])}",
                )
        if lookup.at and table[lookup.at].dtype.base_type() is not pl.Datetime:
            raise DataError(f"column '{lookup.at}' of table '{lookup.table}' is no moment", way_out="convert it")


def _span(text: str, what: str) -> dt.timedelta:
    found = SPAN.match(text)
    if not found or int(found[1]) == 0:
        raise DefinitionError(f"'{text}' of '{what}' is no span of time", way_out="write for example 30m, 3h or 7d")
    return dt.timedelta(**{UNITS[found[2]]: int(found[1])})
