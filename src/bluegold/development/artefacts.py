"""What travels between stages: Parquet for tables, JSON for facts, bytes for models — named by content."""

from __future__ import annotations

import io
from typing import Any, cast

import msgspec
import polars as pl

from bluegold.core.nouns import Port
from bluegold.stores.protocols import ObjectStore

__all__ = ["Artefacts"]


class Artefacts:
    """Artefacts by digest, with what this process just made still in memory.

    Args:
        objects: where the bytes are kept.

    Example:
        >>> import tempfile, pathlib
        >>> from bluegold.stores.object_files import ObjectFiles
        >>> kept, facts = Artefacts(ObjectFiles(pathlib.Path(tempfile.mkdtemp()))), Port(name="facts", kind="json")
        >>> kept.get(facts, kept.put(facts, {"rows": 3}))
        {'rows': 3}
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._warm: dict[str, Any] = {}

    def put(self, port: Port, value: Any) -> str:
        """Keep the value of one output port.

        Args:
            port: its kind decides the format.
            value: a DataFrame or a dict of them (table), bytes (model), anything JSON can say (the others).

        Returns:
            The sha256 of the bytes.
        """
        if port.kind == "table" and isinstance(value, dict):
            index = {name: self.put(port, frame) for name, frame in sorted(value.items())}
            digest = self._objects.put(msgspec.json.encode(index, order="deterministic"))
            self._warm[digest] = value
            return digest
        data = _encode(port, value)
        digest = self._objects.put(data)
        self._warm[digest] = msgspec.json.decode(data) if port.kind not in ("table", "model") else value
        return digest

    def get(self, port: Port, digest: str) -> Any:
        """The value behind a digest, as :meth:`put` took it (JSON comes back as plain data)."""
        if digest not in self._warm:
            self._warm[digest] = self._decode(port, self._objects.get(digest))
        return self._warm[digest]

    def warm(self, digest: str, value: Any) -> None:
        """Remember a value that is given from outside under its own digest."""
        self._warm[digest] = value

    def holds(self, digest: str) -> bool:
        """Whether the bytes of that digest are kept."""
        return self._objects.has(digest)

    def _decode(self, port: Port, data: bytes) -> Any:
        if port.kind == "model":
            return data
        if port.kind == "table" and data[:4] == b"PAR1":
            return pl.read_parquet(io.BytesIO(data))
        decoded = msgspec.json.decode(data)
        if port.kind == "table":
            return {name: self.get(port, digest) for name, digest in decoded.items()}
        return decoded


def _encode(port: Port, value: Any) -> bytes:
    if port.kind == "table":
        buffer = io.BytesIO()
        cast("pl.DataFrame", value).write_parquet(buffer, compression="lz4")
        return buffer.getvalue()
    if port.kind == "model":
        return cast("bytes", value)
    return msgspec.json.encode(value, order="deterministic")
