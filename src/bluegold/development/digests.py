"""Identities: what makes two runs the same run."""

from __future__ import annotations

import functools
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

__all__ = ["code_digest", "environment", "frame_digest", "sha256_json"]

PACKAGE = Path(__file__).resolve().parents[1]
IMPORTED = re.compile(r"^\s*from (bluegold(?:\.\w+)*) import ([^\n(]+|\([^)]*\))", re.MULTILINE)
ENGINES = (
    *("lightgbm", "numpy", "polars", "scikit-learn", "scipy"),
    *("onnx", "onnxruntime", "skl2onnx", "torch", "xgboost", "xgboost-cpu"),
)


def sha256_json(value: Any) -> str:
    """The sha256 of a value's canonical JSON (sorted keys).

    Example:
        >>> sha256_json({"b": 1, "a": 2}) == sha256_json({"a": 2, "b": 1})
        True
    """
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def frame_digest(frame: pl.DataFrame) -> str:
    """The sha256 of a table's content: names, types and values in row order.

    It does not depend on how the values lie in memory, on chunks, or on what hides under a null.

    Example:
        >>> a = pl.DataFrame({"x": ["p", None]})
        >>> frame_digest(a) == frame_digest(pl.concat([a[:1], a[1:]], rechunk=False))
        True
    """
    with ThreadPoolExecutor(2) as pool:  # hashing releases the interpreter lock
        columns = list(pool.map(_column_digest, frame.get_columns()))
    return sha256_json([frame.height, columns])


def _column_digest(column: pl.Series) -> list[str]:
    digest = hashlib.sha256()
    if column.null_count():
        digest.update(np.packbits(column.is_null().to_numpy()).data)
    for block in _blocks(column.rechunk()):
        digest.update(np.ascontiguousarray(block).data)
    return [column.name, str(column.dtype), digest.hexdigest()]


def _blocks(column: pl.Series) -> list[np.ndarray]:
    """A column as plain buffers, nulls as zero or empty."""
    kind = column.dtype
    if kind == pl.Null:
        return []
    if kind.is_temporal():
        return [column.to_physical().fill_null(0).to_numpy()]
    if kind.is_numeric():
        return [column.fill_null(0).to_numpy()]
    if kind == pl.Boolean:
        return [column.fill_null(value=False).to_numpy()]
    if kind.is_nested():
        text = column.to_frame().select(pl.all()).write_ndjson()
        return [np.frombuffer(text.encode(), dtype=np.uint8)]
    words = column.cast(pl.String).fill_null("")
    lengths = words.str.len_bytes().to_numpy()
    joined = words.str.join("").item() if len(words) else ""
    return [lengths, np.frombuffer(joined.encode(), dtype=np.uint8)]


@functools.cache
def code_digest(source: Path) -> str:
    """The digest of a module's source, of everything it imports from this package, and of the engines' versions."""
    pending, seen = [source.resolve()], dict[Path, str]()
    while pending:
        path = pending.pop()
        if path not in seen:
            text = path.read_text(encoding="utf-8")
            seen[path] = hashlib.sha256(text.encode()).hexdigest()
            pending.extend(_imports(text))
    files = {
        str(path.relative_to(PACKAGE)) if path.is_relative_to(PACKAGE) else path.name: d for path, d in seen.items()
    }
    return sha256_json([files, {name: version for name in ENGINES if (version := _version(name))}])


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


@functools.cache
def _file_of(module: str) -> Path | None:
    base = PACKAGE.joinpath(*module.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imports(text: str) -> list[Path]:
    found = []
    for module, names in IMPORTED.findall(text):
        inside = [f"{module}.{name.split(' as ')[0].strip()}" for name in names.strip("()").split(",") if name.strip()]
        found += [path for path in map(_file_of, (module, *inside)) if path is not None]
    return found


@functools.cache
def environment() -> tuple[str, str]:
    """The installed packages as sorted ``name==version`` lines, and the sha256 of that text."""
    lines = sorted({f"{d.name.lower().replace('_', '-')}=={d.version}" for d in metadata.distributions()})
    text = "\n".join(lines) + "\n"
    return text, hashlib.sha256(text.encode()).hexdigest()
