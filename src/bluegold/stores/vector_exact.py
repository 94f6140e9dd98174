"""Vector store with exact search: every distance is computed, so the answer is never approximate.

It suits up to some hundred thousand vectors; beyond that an index (HNSW, IVF) earns its place.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from bluegold.core.errors import StoreError
from bluegold.core.workspace import write_atomic
from bluegold.stores.protocols import Neighbour

__all__ = ["VectorExact"]


class VectorExact:
    """Vectors in memory, kept in one file that is replaced whole on every change.

    Args:
        root: folder of the file; made when missing.
        metric: ``cosine`` (1 - cosine similarity) or ``l2`` (Euclidean distance).

    Raises:
        StoreError: the file cannot be read or written, or a vector has the wrong length or is not finite.

    Example:
        >>> import tempfile
        >>> store = VectorExact(Path(tempfile.mkdtemp()), metric="l2")
        >>> store.add({"a": [0.0, 0.0], "b": [3.0, 4.0]})
        >>> store.nearest([3.0, 3.0], k=1)
        (Neighbour(id='b', distance=1.0),)
    """

    def __init__(self, root: Path, *, metric: Literal["cosine", "l2"] = "cosine") -> None:
        self._file = root / "vectors.bin"
        self._metric = metric
        self._lock = threading.Lock()
        self._ids: list[str] = []
        self._vectors: NDArray[np.float64] = np.empty((0, 0))
        try:
            root.mkdir(parents=True, exist_ok=True)
            if self._file.is_file():
                self._ids, self._vectors = _unpack(self._file.read_bytes())
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise self._error(error) from error

    def add(self, vectors: Mapping[str, Sequence[float]]) -> None:
        """Add or replace vectors (all of one length, finite)."""
        if not vectors:
            return
        with self._lock:
            merged = dict(zip(self._ids, self._vectors, strict=True))
            for name, values in vectors.items():
                merged[name] = self._checked(values, len(next(iter(merged.values()))) if merged else None)
            self._keep(merged)

    def nearest(self, vector: Sequence[float] | NDArray[np.float64], k: int = 10) -> tuple[Neighbour, ...]:
        """The ``k`` nearest, nearest first; equal distances in order of identifier."""
        with self._lock:
            ids, vectors = self._ids, self._vectors
        if not ids:
            return ()
        point = self._checked(vector, vectors.shape[1])
        if self._metric == "l2":
            distances = np.linalg.norm(vectors - point, axis=1)
        else:
            norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(point)
            products = vectors @ point
            distances = 1.0 - np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
        order = np.lexsort((np.arange(len(ids)), distances))[: max(k, 0)]
        return tuple(Neighbour(id=ids[i], distance=float(distances[i])) for i in order)

    def remove(self, ids: Sequence[str]) -> int:
        """Forget vectors; how many there were."""
        gone = set(ids)
        with self._lock:
            kept = {n: v for n, v in zip(self._ids, self._vectors, strict=True) if n not in gone}
            count = len(self._ids) - len(kept)
            if count:
                self._keep(kept)
        return count

    def ping(self) -> None:
        """Check that the folder is there; raises ``StoreError`` when it is not."""
        if not self._file.parent.is_dir():
            raise self._error(FileNotFoundError("the folder is gone"))

    def close(self) -> None:
        """Nothing is held open."""

    def _keep(self, merged: Mapping[str, NDArray[np.float64]]) -> None:
        ids = sorted(merged)
        vectors = np.array([merged[name] for name in ids], dtype=np.float64) if ids else np.empty((0, 0))
        try:
            write_atomic(self._file, _pack(ids, vectors))
        except OSError as error:
            raise self._error(error) from error
        self._ids, self._vectors = ids, vectors

    def _checked(self, values: Sequence[float] | NDArray[np.float64], length: int | None) -> NDArray[np.float64]:
        vector = np.asarray(values, dtype=np.float64)
        if vector.ndim != 1 or vector.size == 0 or not np.isfinite(vector).all():
            raise StoreError("a vector must be a row of finite numbers", way_out="check where it was made")
        if length is not None and vector.size != length:
            raise StoreError(f"a vector of length {vector.size} does not fit", why=f"this store holds length {length}")
        return vector

    def _error(self, error: Exception) -> StoreError:
        return StoreError(
            f"vector store '{self._file}' failed",
            why=str(error),
            way_out="check the folder's owner, rights and free space, or rebuild the index",
        )


def _pack(ids: list[str], vectors: NDArray[np.float64]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, vectors, allow_pickle=False)
    return msgspec.msgpack.encode((ids, buffer.getvalue()))


def _unpack(data: bytes) -> tuple[list[str], NDArray[np.float64]]:
    ids, body = msgspec.msgpack.decode(data, type=tuple[list[str], bytes])
    return ids, np.load(io.BytesIO(body), allow_pickle=False)
