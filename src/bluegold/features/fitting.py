"""Fitting a system's definition to its training data: types are resolved and vocabularies learned."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np
import polars as pl

from bluegold.core.errors import DataError, DefinitionError
from bluegold.features.batch import COLUMN_TYPES, feature_frame
from bluegold.features.cleaning import clean_frame
from bluegold.features.contract import schema_of
from bluegold.features.fields import ContractSpec
from bluegold.features.specs import Aggregate, ColumnSpec, FeatureSpec, HistorySpec, LookupSpec, ProgramSpec
from bluegold.features.system import History, Lookup, System, Vector
from bluegold.features.translate import translate
from bluegold.features.vectors import VectorSpec, learn_words

__all__ = ["fit"]

AGGREGATES: dict[str, Aggregate] = {"Mean": "mean", "Sum": "sum", "Count": "count", "Min": "min", "Max": "max"}
LARGEST_VOCABULARY = 10_000
NUMBERS = {"bool", "f32", "f64", *(f"{sign}{bits}" for sign in "iu" for bits in (8, 16, 32, 64))}
HINTS = {
    "datetime": "take a part of it, for example .dt.hour()",
    "duration": "measure it, for example .dt.total_minutes()",
}


def fit(system: System, train: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> ProgramSpec:
    """Resolve every definition against the training data.

    Args:
        system: the definition.
        train: clean training rows.
        tables: lookup tables.

    Raises:
        DefinitionError: a definition cannot mean what it says.
        DataError: there are no training rows.
    """
    if train.is_empty():
        raise DataError(f"no training rows for '{system.name}'", way_out="check the split and the quarantine's reasons")
    contract = schema_of(system.contract.fields)
    lookups = tuple(_lookup(item, tables, contract) for item in system.lookups)
    histories = tuple(_history(item, contract) for item in system.histories)
    schema = dict(contract)
    for lookup in lookups:
        schema |= {column.name: COLUMN_TYPES[column.dtype] for column in lookup.columns}
    schema |= {item.name: COLUMN_TYPES[item.dtype] for item in histories}
    expressions = tuple(
        FeatureSpec(name=item.name, expression=translate(item.expression, schema, f"feature '{item.name}'"))
        for item in system.features
    )
    types = {column.name: column.dtype for lookup in lookups for column in lookup.columns}
    types |= {item.name: item.dtype for item in histories}
    types |= {item.name: item.expression.dtype for item in expressions}
    vectors = tuple(_vector(item, system.contract, train) for item in system.vectors)
    types |= {column: "f64" for vector in vectors for column in vector.columns}
    spread = {vector.name: vector.columns for vector in vectors}
    names = tuple(column for name in system.names for column in spread.get(name, (name,)))
    _once(names)
    spec = ProgramSpec(
        system=system.name,
        contract=system.contract,
        time=system.time,
        names=names,
        kinds=tuple(_kind(name, types[name]) for name in names),
        expressions=expressions,
        histories=histories,
        lookups=lookups,
        vectors=vectors,
        known=_known(system, train),
        typical=_typical(system, train),
        polars=pl.__version__,
    )
    return msgspec.structs.replace(spec, vocabularies=_vocabularies(spec, train, tables))


def _vector(item: Vector, contract: ContractSpec, train: pl.DataFrame) -> VectorSpec:
    field = contract.field(item.field)
    if field.kind == "array":
        places = itertools.product(*(range(length) for length in field.shape))
        columns = tuple("_".join((item.name, *map(str, place))) for place in places)
        return VectorSpec(name=item.name, field=item.field, kind="array", columns=columns)
    words, weights = learn_words(train[item.field].to_list(), item.most)
    if not words:
        raise DataError(
            f"the texts of '{item.field}' share no word", way_out="leave system.words out, or give more training rows"
        )
    columns = tuple(f"{item.name}:{word}" for word in words)
    return VectorSpec(name=item.name, field=item.field, kind="words", columns=columns, words=words, weights=weights)


def _once(names: tuple[str, ...]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DefinitionError(f"feature '{twice[0]}' is defined twice", way_out="rename one of them")


def _kind(name: str, dtype: str) -> Literal["number", "category"]:
    if dtype == "str":
        return "category"
    if dtype in NUMBERS:
        return "number"
    raise DefinitionError(
        f"feature '{name}' is a {dtype}",
        why="a feature is a number, a yes or no, or a category",
        way_out=HINTS.get(dtype, "convert it with .cast(...)"),
    )


def _lookup(item: Lookup, tables: Mapping[str, pl.DataFrame], contract: Mapping[str, Any]) -> LookupSpec:
    if item.table not in tables:
        raise DataError(f"lookup table '{item.table}' is missing", way_out="return it in bg.Data(tables=...)")
    table, columns = tables[item.table], []
    for name in item.columns:
        _fresh(name, f"lookup '{item.table}'", contract)
        dtype = table[name].dtype
        if dtype == pl.Boolean:
            columns.append(ColumnSpec(name=name, dtype="bool"))
        elif dtype.is_integer():
            columns.append(ColumnSpec(name=name, dtype="i64"))
        elif dtype.is_float() or dtype.is_decimal():
            columns.append(ColumnSpec(name=name, dtype="f64"))
        elif isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
            columns.append(ColumnSpec(name=name, dtype="str"))
        else:
            raise DefinitionError(
                f"column '{name}' of table '{item.table}' is {dtype}", way_out="give a number, a yes or no, or a text"
            )
    within = None if item.within is None else round(item.within.total_seconds() * 1_000_000)
    return LookupSpec(table=item.table, by=item.by, columns=tuple(columns), at=item.at, within_us=within)


def _history(item: History, contract: Mapping[str, Any]) -> HistorySpec:
    what = f"history '{item.name}'"
    _fresh(item.name, what, contract)
    window = round(item.window.total_seconds() * 1_000_000)
    body = json.loads(item.expression.meta.undo_aliases().meta.serialize(format="json"))
    if body == "Len":
        return HistorySpec(name=item.name, by=item.by, window_us=window, aggregate="len")
    kind = next(iter(body.get("Agg", {})), "") if isinstance(body, dict) else ""
    if kind not in AGGREGATES:
        raise DefinitionError(
            f"{what} is no aggregate", way_out='use pl.col("x").mean(), .sum(), .count(), .min(), .max(), or pl.len()'
        )
    inner = translate(item.expression.meta.undo_aliases().meta.pop()[0], contract, what)
    if inner.dtype not in NUMBERS:
        raise DefinitionError(f"{what} aggregates a {inner.dtype}", way_out="aggregate a number or a yes or no")
    return HistorySpec(name=item.name, by=item.by, window_us=window, aggregate=AGGREGATES[kind], value=inner)


def _fresh(name: str, what: str, contract: Mapping[str, Any]) -> None:
    if name in contract:
        raise DefinitionError(
            f"{what} makes a column '{name}'", why="a contract field has that name", way_out="rename one of them"
        )


def _known(system: System, train: pl.DataFrame) -> dict[str, tuple[str, ...]]:
    return {
        field.name: _levels(train[field.name], f"category '{field.name}'")
        for field in system.contract.fields
        if field.kind == "category" and not field.levels
    }


def _levels(column: pl.Series, what: str) -> tuple[str, ...]:
    levels = tuple(column.drop_nulls().unique().sort().to_list())
    if len(levels) > LARGEST_VOCABULARY:
        raise DefinitionError(
            f"{what} has {len(levels):,} levels in the training data",
            why=f"more than {LARGEST_VOCABULARY:,} is an identifier, not a category",
            way_out="use bg.text() and system.history(..., by=...) or a lookup",
        )
    return levels


def _vocabularies(
    spec: ProgramSpec, train: pl.DataFrame, tables: Mapping[str, pl.DataFrame]
) -> dict[str, tuple[str, ...]]:
    names = [name for name, kind in zip(spec.names, spec.kinds, strict=True) if kind == "category"]
    expressions = tuple(item for item in spec.expressions if item.name in names)
    needed = {name for item in expressions for name in item.expression.inputs}
    part = msgspec.structs.replace(
        spec,
        names=tuple(names),
        expressions=expressions,
        histories=tuple(item for item in spec.histories if item.name in needed),
    )
    computed = feature_frame(part, train, tables)
    found = {name: _levels(computed[name], f"feature '{name}'") for name in names}
    for item in expressions:
        root = item.expression.tree
        if root is not None and root.op == "column" and root.value in spec.contract.names:
            field = spec.contract.field(root.value)
            found[item.name] = field.levels or found[item.name]
    return found


def _typical(system: System, train: pl.DataFrame) -> dict[str, Any]:
    """A record that the contract accepts and that is nobody's: the middle or most frequent value of each field."""
    row: dict[str, Any] = {}
    for field in system.contract.fields:
        column = train[field.name].drop_nulls()
        if column.is_empty():
            row[field.name] = None
        elif field.kind == "array":
            row[field.name] = np.array(column.head(1000).to_list()).mean(axis=0).tolist()
        elif field.kind in {"number", "time"}:
            row[field.name] = (
                column.quantile(0.5, "lower") if field.kind == "number" else column.sort()[len(column) // 2]
            )
        elif field.kind == "text":
            row[field.name] = "example"[: field.max_length]
        else:
            row[field.name] = column.mode().sort()[0]
    whole = {field.name for field in system.contract.fields if field.integer}
    row = {name: int(value) if name in whole and value is not None else value for name, value in row.items()}
    frame = pl.DataFrame([row], schema=schema_of(system.contract.fields))
    if clean_frame(system.contract, frame).valid.is_empty():
        row = train.select(system.contract.names).row(0, named=True)
    times = {field.name: "Z" if field.utc else "" for field in system.contract.fields if field.kind == "time"}
    return {
        name: value.isoformat() + times[name] if name in times and value is not None else value
        for name, value in row.items()
    }
