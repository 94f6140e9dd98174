"""One row on the request path: decode, clean and turn into the model's input without polars.

Every expression is compiled to a closure over plain values.  What cannot be compiled is listed in
:attr:`RowProgram.fallbacks`; only such expressions load polars, and rows that wait together share its calls.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from bluegold.core.errors import BluegoldError, DataError, FieldError
from bluegold.features.checks import check_of
from bluegold.features.closures import Closure, compile_tree
from bluegold.features.decoding import Decoder
from bluegold.features.fields import RuleSpec
from bluegold.features.matrix_row import CellSource, matrix_row
from bluegold.features.program import FeatureProgram
from bluegold.features.quick import quick_of
from bluegold.features.scalars import EPOCH
from bluegold.features.specs import SCALE, HistorySpec, LookupSpec
from bluegold.features.tree import Expression
from bluegold.features.vectors import cells_of

if TYPE_CHECKING:
    from bluegold.features.fallback import Fallback

__all__ = ["Cleaned", "OnlineReader", "OnlineView", "RowProgram", "Window", "aggregated", "microseconds"]

DAY, SECOND = 86_400_000_000, 1_000_000
#: What a window of past events comes to: number, fixed-point sum, smallest and largest value.
Window = tuple[int, int, int, int]
Values = dict[str, Any]
Key = tuple[Any, ...]
KeyOf = Callable[[Mapping[str, Any]], Key]
#: Clean values by field, and flags such as ``dep_delay:clipped``.
Cleaned = tuple[Values, tuple[str, ...]]


class OnlineView(Protocol):
    """One consistent state of histories and looked-up rows."""

    def window(self, spec: HistorySpec, entity: Key, at: int) -> Window:
        """Events of ``entity`` in ``[at - window, at)``; ``at`` in microseconds since 1970."""

    def lookup(self, spec: LookupSpec, key: Key, at: int) -> tuple[Any, ...] | None:
        """Values of the looked-up columns as known at ``at``, or None."""


class OnlineReader(Protocol):
    """Where histories and looked-up rows come from while serving."""

    def view(self) -> AbstractContextManager[OnlineView]:
        """The state as it is now."""


def microseconds(moment: dt.datetime) -> int:
    """Microseconds from 1970 to a naive moment.

    Example:
        >>> microseconds(dt.datetime(1970, 1, 2))
        86400000000
    """
    span = moment - EPOCH
    return span.days * DAY + span.seconds * SECOND + span.microseconds


def aggregated(spec: HistorySpec, window: Window) -> float | int | None:
    """The history feature that a window comes to; None where nothing happened and nothing follows from that.

    Example:
        >>> spec = HistorySpec(name="h", by=("k",), window_us=1, aggregate="mean")
        >>> aggregated(spec, (2, 3 * SCALE, 0, 0))
        1.5
    """
    count, total, low, high = window
    aggregate = spec.aggregate
    if aggregate == "mean":
        return float(total) / SCALE / float(count) if count else None
    if aggregate in {"count", "len"}:
        return count
    if aggregate == "sum":
        return float(total) / SCALE
    return float(low if aggregate == "min" else high) / SCALE if count else None


class RowProgram:
    """A feature program compiled for single rows; the result equals the batch matrix to the bit.

    Args:
        program: the fitted program.

    Example:
        >>> import polars as pl, bluegold as bg
        >>> from bluegold.features.program import fit_program
        >>> class Row(bg.Contract):
        ...     x: float = bg.number(ge=0, le=10, outside="clip")
        >>> system = bg.System("tiny", contract=Row, target=pl.col("y") > 0)
        >>> system.feature("twice", pl.col("x") * 2)
        >>> row = RowProgram(fit_program(system, pl.DataFrame({"x": [1.0, 2.0]}), {}))
        >>> [body] = row.decode(b'{"x": 12}')
        >>> values, flags = row.clean(body)
        >>> values, flags, row.vector(values, None)
        ({'x': 10.0}, ('x:clipped',), [20.0])
    """

    def __init__(self, program: FeatureProgram) -> None:
        self.program = program
        self.fallbacks: tuple[str, ...] = ()
        self._decoder = Decoder(program)
        self._time = program.time
        self._checks = [check_of(field, program.known.get(field.name, ())) for field in program.contract.fields]
        self._quick = quick_of(program.contract.fields, program.known)
        self._rule_fallbacks: list[Fallback] = []
        self._cell_fallbacks: list[Fallback] = []
        self._rules = [(rule, self._compiled(rule.expression, f"rule:{rule.name}")) for rule in program.contract.rules]
        self._lookups = [
            (spec, _key_of(spec.by), tuple(column.name for column in spec.columns)) for spec in program.lookups
        ]
        self._histories = _grouped(program.histories)
        self._matrix_row = matrix_row(self._compile_cells())
        self._vectors = [(spec.field, spec.columns, cells_of(spec)) for spec in program.vectors]
        self._names = program.contract.names

    def decode(self, body: bytes) -> list[Any]:
        """The rows of a request body: one object, or ``{"rows": [...]}`` with at most 1,000.

        Raises:
            DataError: the body is no JSON, empty or too long.
            FieldError: a field is missing, unknown or of the wrong type; the message names it.
        """
        return self._decoder.decode(body)

    def clean(self, row: Any) -> tuple[Values, tuple[str, ...]]:
        """Hold one row against the contract.

        Args:
            row: what :meth:`decode` returned, or a mapping from field to plain value.

        Returns:
            clean values by field, and flags such as ``dep_delay:clipped``.

        Raises:
            FieldError: the contract refuses a value; the message names the field.
        """
        values, flags = self._checked(row)
        self._ruled(values, flags)
        return values, tuple(flags)

    def clean_all(self, rows: Sequence[Any]) -> list[Cleaned | BluegoldError]:
        """:meth:`clean` for rows that wait together: what the contract says of each, or its refusal."""
        found: list[Any] = []
        for row in rows:
            try:
                found.append(self._checked(row))
            except BluegoldError as error:
                found.append(error)
        if not self._rules:
            return [one if isinstance(one, BluegoldError) else (one[0], tuple(one[1])) for one in found]
        asked = [dict(one[0]) if isinstance(one, tuple) else None for one in found]
        if self._rule_fallbacks:
            self._fill(self._rule_fallbacks, [values for values in asked if values is not None])
        for place, values in enumerate(asked):
            if values is None:
                continue
            clean, flags = found[place]
            try:
                self._ruled(values, flags)
                found[place] = clean, tuple(flags)
            except BluegoldError as error:
                found[place] = error
        return found

    def vector(self, values: Values, online: OnlineReader | None) -> list[float]:
        """The model's input for one clean row.

        Args:
            values: clean values of the contract's fields.
            online: the online store; may be None when the program has neither histories nor lookups.

        Raises:
            FieldError: a strict conversion of the definition does not fit this row.
        """
        row = self.gather(values, online)
        if len(self._cell_fallbacks) > 1:
            self._fill(self._cell_fallbacks, [row])
        return self._vector(row)

    def gather(self, values: Values, online: OnlineReader | None) -> Values:
        """The values of one clean row with its histories, looked-up columns and parts of arrays: what features read.

        Raises:
            DataError: the program has histories or lookups and there is no online store.
        """
        row = dict(values)
        at = microseconds(row[self._time]) if self._time else 0
        if online is not None:
            if self._lookups or self._histories:
                with online.view() as view:
                    self._look_up(row, view, at)
        elif self._lookups or self._histories:
            raise DataError(
                f"the features of '{self.program.system}' need the online store", way_out="give a reader of it"
            )
        for field, columns, cells in self._vectors:
            row.update(zip(columns, cells(row[field]), strict=True))
        return row

    def vectors(self, gathered: Sequence[Values]) -> list[list[float] | BluegoldError]:
        """The model's input for rows that wait together, each as :meth:`vector` gives it, or its refusal.

        Args:
            gathered: what :meth:`gather` returned, row by row; values of fallbacks are left in them.
        """
        if self._cell_fallbacks:
            self._fill(self._cell_fallbacks, gathered)
        found: list[list[float] | BluegoldError] = []
        for row in gathered:
            try:
                found.append(self._vector(row))
            except BluegoldError as error:
                found.append(error)
        return found

    def example(self) -> dict[str, Any]:
        """A request body that works, for the API's description."""
        return self._decoder.example()

    def json_schema(self) -> dict[str, Any]:
        """JSON schema of one row."""
        return self._decoder.json_schema()

    def _checked(self, row: Any) -> tuple[Values, list[str]]:
        if isinstance(row, msgspec.Struct):
            values = msgspec.structs.asdict(row)
        else:
            values = {name: row.get(name) for name in self._names}
        flags: list[str] = []
        if not self._quick(values):
            for check in self._checks:
                check(values, flags)
        return values, flags

    def _ruled(self, values: Values, flags: list[str]) -> None:
        for rule, closure in self._rules:
            if closure(values) is False:
                self._broken(rule, flags)

    def _vector(self, row: Values) -> list[float]:
        try:
            return self._matrix_row(row)
        except DataError as error:
            raise FieldError("", error.what, way_out=error.way_out) from error

    def _look_up(self, row: Values, online: OnlineView, at: int) -> None:
        for spec, key_of, names in self._lookups:
            key = key_of(row)
            found = None if None in key else online.lookup(spec, key, at)
            row.update(zip(names, found or (None,) * len(names), strict=True))
        for key_of, first, members in self._histories:
            key = key_of(row)
            if None in key:
                row.update(dict.fromkeys((member.name for member in members), None))
                continue
            window = online.window(first, key, at)
            for member in members:
                row[member.name] = aggregated(member, window)

    def _compiled(self, expression: Expression, name: str) -> Closure:
        if expression.tree is not None:
            return compile_tree(expression.tree)
        from bluegold.features.fallback import Fallback, fill

        self._fill = fill
        self.fallbacks += (f"{name} ({expression.obstacle})",)
        fallback = Fallback(self.program, expression, name)
        (self._rule_fallbacks if name.startswith("rule:") else self._cell_fallbacks).append(fallback)
        return fallback

    def _compile_cells(self) -> list[CellSource]:
        program = self.program
        computed = {item.name: item.expression for item in program.expressions}
        cells = []
        for name, kind in zip(program.names, program.kinds, strict=True):
            closure = self._compiled(computed[name], name) if name in computed else _getter(name)
            source = computed.get(name)
            plain = source is None or (source.tree is not None and source.tree.op == "column")
            column = (source.tree.value if source and source.tree else name) if plain else None
            levels = program.vocabularies[name] if kind == "category" else ()
            codes = {level: float(code) for code, level in enumerate(levels)} if kind == "category" else None
            cells.append(CellSource(closure, column or "", codes))
        return cells

    def _broken(self, rule: RuleSpec, flags: list[str]) -> None:
        if rule.broken == "refuse":
            names = rule.expression.inputs
            raise FieldError(names[0] if names else rule.name, f"rule '{rule.name}' does not hold")
        flags.append(f"rule:{rule.name}")


def _grouped(histories: tuple[HistorySpec, ...]) -> list[tuple[KeyOf, HistorySpec, tuple[HistorySpec, ...]]]:
    """Histories that ask for the same window of the same events; extremes ask for more than sums."""
    groups: dict[Any, list[HistorySpec]] = {}
    for spec in histories:
        groups.setdefault((spec.stream, spec.aggregate in {"min", "max"}), []).append(spec)
    return [(_key_of(members[0].by), members[0], tuple(members)) for members in groups.values()]


def _getter(name: str) -> Closure:
    return lambda row: row[name]


def _key_of(names: tuple[str, ...]) -> KeyOf:
    if len(names) == 1:
        only = names[0]
        return lambda row: (row[only],)
    return lambda row: tuple([row[name] for name in names])
