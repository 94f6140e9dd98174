"""The five kinds of store, as protocols; adapters live one to a file beside this one.

Source: the store kinds and their criteria follow Avila & Ahmad (2025), chapter 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import Connection, MetaData, Row, Select

__all__ = [
    "Edge",
    "GraphStore",
    "KeyValueBatch",
    "KeyValueSnapshot",
    "KeyValueStore",
    "Kind",
    "Neighbour",
    "ObjectStore",
    "RelationalStore",
    "Store",
    "VectorStore",
]

Kind = Literal["relational", "object", "key_value", "graph", "vector"]


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """One directed relation: ``source`` gave rise to ``target`` through ``relation``."""

    source: str
    relation: str
    target: str


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of a similarity search; ``distance`` is smaller for nearer vectors."""

    id: str
    distance: float


@runtime_checkable
class Store(Protocol):
    """What every store can do, whatever its kind."""

    def ping(self) -> None:
        """Prove that the store answers; raises ``StoreError`` when it does not."""

    def close(self) -> None:
        """Give back what the store holds; a closed store may be closed again."""


@runtime_checkable
class RelationalStore(Store, Protocol):
    """Tables with transactions: metadata, registry, audit."""

    def create(self, metadata: MetaData) -> None:
        """Create the tables of ``metadata`` that do not exist yet."""

    def read(self) -> AbstractContextManager[Connection]:
        """One consistent read transaction."""

    def rows(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """The rows of one query, which is a transaction by itself."""

    def write(self) -> AbstractContextManager[Connection]:
        """One write transaction, serialised against all other writers; an exception undoes it whole."""


@runtime_checkable
class ObjectStore(Store, Protocol):
    """Immutable bytes named by their sha256: training data, artefacts, archives."""

    def put(self, data: bytes) -> str:
        """Keep ``data`` durably and return its sha256 in hex; putting the same bytes twice is free."""

    def get(self, digest: str) -> bytes:
        """The bytes of ``digest``, verified; raises ``IntegrityError`` when they changed."""

    def has(self, digest: str) -> bool:
        """Whether the object exists (its content is not read)."""

    def delete(self, digest: str) -> bool:
        """Remove the object; whether it was there."""

    def digests(self) -> Iterator[str]:
        """The digests of all objects, in ascending order."""


@runtime_checkable
class KeyValueSnapshot(Protocol):
    """Several reads of one consistent state, at the price of one."""

    def get(self, key: bytes) -> bytes | None:
        """The value of ``key``, or None."""

    def floor(self, key: bytes, prefix: bytes = b"") -> tuple[bytes, bytes] | None:
        """The last pair whose key is not above ``key`` and starts with ``prefix``."""

    def around(self, key: bytes) -> tuple[tuple[bytes, bytes] | None, bytes]:
        """The last pair whose key is not above ``key``, and a key below which that stays true."""

    def between(self, start: bytes, end: bytes, most: int | None = None) -> list[tuple[bytes, bytes]]:
        """Pairs with ``start <= key < end``, ascending, at most so many."""

    def version(self) -> int | None:
        """A number that is the same for equal states only; None when the store cannot tell."""


@runtime_checkable
class KeyValueBatch(Protocol):
    """Reads and writes inside one key-value transaction."""

    def get(self, key: bytes) -> bytes | None:
        """The value of ``key`` as this transaction sees it."""

    def put(self, key: bytes, value: bytes) -> None:
        """Set ``key``."""

    def delete(self, key: bytes) -> bool:
        """Remove ``key``; whether it was there."""

    def floor(self, key: bytes, prefix: bytes = b"") -> tuple[bytes, bytes] | None:
        """The last pair whose key is not above ``key`` and starts with ``prefix``."""


@runtime_checkable
class KeyValueStore(Store, Protocol):
    """Ordered keys, shared by processes: online features, caches."""

    def get(self, key: bytes) -> bytes | None:
        """The value of ``key``, or None."""

    def put(self, key: bytes, value: bytes) -> None:
        """Set ``key`` in a transaction of its own."""

    def delete(self, key: bytes) -> bool:
        """Remove ``key``; whether it was there."""

    def scan(
        self,
        prefix: bytes = b"",
        *,
        start: bytes | None = None,
        end: bytes | None = None,
        limit: int | None = None,
    ) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with ``start <= key < end`` that start with ``prefix``, ascending, one snapshot."""

    def floor(self, key: bytes, prefix: bytes = b"") -> tuple[bytes, bytes] | None:
        """The last pair whose key is not above ``key`` and starts with ``prefix``."""

    def snapshot(self) -> AbstractContextManager[KeyValueSnapshot]:
        """Several reads of one consistent state; writers are not held up."""

    def batch(self) -> AbstractContextManager[KeyValueBatch]:
        """Many reads and writes as one atomic transaction; an exception undoes all of them."""


@runtime_checkable
class GraphStore(Store, Protocol):
    """Directed relations: lineage."""

    def add(self, edges: Sequence[Edge]) -> None:
        """Add relations; one that exists already is kept once."""

    def up(self, node: str, depth: int = 32) -> tuple[Edge, ...]:
        """All relations that lead to ``node``, nearest first: where it comes from."""

    def down(self, node: str, depth: int = 32) -> tuple[Edge, ...]:
        """All relations that start at ``node``, nearest first: what it gave rise to."""

    def remove(self, node: str) -> int:
        """Forget every relation that touches ``node``; how many there were."""


@runtime_checkable
class VectorStore(Store, Protocol):
    """Vectors with identifiers: nearest past cases."""

    def add(self, vectors: Mapping[str, Sequence[float]]) -> None:
        """Add or replace vectors (all of one length)."""

    def nearest(self, vector: Sequence[float] | NDArray[np.float64], k: int = 10) -> tuple[Neighbour, ...]:
        """The ``k`` nearest, nearest first; equal distances in order of identifier."""

    def remove(self, ids: Sequence[str]) -> int:
        """Forget vectors; how many there were."""
