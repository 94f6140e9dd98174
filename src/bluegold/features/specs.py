"""The compiled definition as plain data: everything batch and serving need, and no user code."""

from __future__ import annotations

import functools
import hashlib
from typing import Any, Literal

import msgspec

from bluegold.features.fields import ContractSpec
from bluegold.features.tree import Expression
from bluegold.features.vectors import VectorSpec

__all__ = ["SATURATION", "SCALE", "Aggregate", "ColumnSpec", "FeatureSpec", "HistorySpec", "LookupSpec", "ProgramSpec"]

Aggregate = Literal["mean", "sum", "count", "min", "max", "len"]
#: Fixed point of history values: 2**20 steps a unit, so sums are exact whatever the order of events.
SCALE = 2**20
#: Larger history values are held at this limit, so that scaled sums of 8 million events fit into 64 bits.
SATURATION = float(2**20 * 2**20)


class HistorySpec(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One history feature.  ``value`` is what is aggregated a row; empty for ``len``."""

    name: str
    by: tuple[str, ...]
    window_us: int
    aggregate: Aggregate
    value: Expression | None = None

    @functools.cached_property
    def stream(self) -> bytes:
        """Key prefix of the stored events; features that differ in the aggregate only share them."""
        return b"e" + _identity(*self.by, self.value.polars if self.value else "", str(self.window_us))

    @property
    def dtype(self) -> str:
        """Type of the feature."""
        return "i64" if self.aggregate in {"count", "len"} else "f64"


class ColumnSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One looked-up column and its type (``f64``, ``i64``, ``bool`` or ``str``)."""

    name: str
    dtype: str


class LookupSpec(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One lookup; without ``at`` the table is fixed, without ``within_us`` any age will do."""

    table: str
    by: tuple[str, ...]
    columns: tuple[ColumnSpec, ...]
    at: str = ""
    within_us: int | None = None

    @functools.cached_property
    def stream(self) -> bytes:
        """Key prefix of the stored rows."""
        return b"t" + _identity(self.table, *self.by, self.at, *(f"{c.name}:{c.dtype}" for c in self.columns))


class FeatureSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One feature computed from contract fields, looked-up and history columns."""

    name: str
    expression: Expression


class ProgramSpec(msgspec.Struct, frozen=True, kw_only=True):
    """All parts of a feature program.

    Attributes:
        names: features in matrix order.
        kinds: ``number`` or ``category`` of each.
        known: levels of contract categories that training data showed.
        vocabularies: levels of each category feature; its code in the matrix is the position.
        typical: a record that works, made of the training data's medians and most frequent levels.
        polars: the polars version that wrote the expressions.
    """

    system: str
    contract: ContractSpec
    time: str
    names: tuple[str, ...]
    kinds: tuple[Literal["number", "category"], ...]
    expressions: tuple[FeatureSpec, ...]
    histories: tuple[HistorySpec, ...] = ()
    lookups: tuple[LookupSpec, ...] = ()
    vectors: tuple[VectorSpec, ...] = ()
    known: dict[str, tuple[str, ...]] = {}
    vocabularies: dict[str, tuple[str, ...]] = {}
    typical: dict[str, Any] = {}
    polars: str = ""
    format: Literal[1] = 1


def _identity(*parts: str) -> bytes:
    return hashlib.sha256("\x1f".join(parts).encode()).digest()[:8]
