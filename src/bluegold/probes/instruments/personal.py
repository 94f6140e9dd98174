"""Personal values made up for a probe: sent in like a user's, and looked for where they must not be."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from bluegold.core.errors import BluegoldError
from bluegold.features.row import RowProgram
from bluegold.probes.bench import Bench, raw

__all__ = ["Sent", "found_in", "made_up", "training_values"]

LONGEST = 24
LEAST = 6
"""A shorter value than that is found by chance."""


class Sent:
    """One request body with made-up values in the marked fields.

    Args:
        body: the request.
        values: marked field -> the value in it.
    """

    def __init__(self, body: bytes, values: dict[str, str]) -> None:
        self.body = body
        self.values = values


def made_up(bench: Bench, *, financial: bool = False, count: int = 1) -> list[Sent]:
    """Bodies that work, each with values of its own where the contract marks a field.

    Args:
        bench: the system.
        financial: only the fields that identify somebody financially.
        count: how many bodies.
    """
    contract = bench.program.contract
    fields = [field for field in contract.marked if field.financial_id or not financial]
    found = []
    for _ in range(count):
        values = {field.name: secrets.token_hex(LONGEST // 2)[: min(field.max_length, LONGEST)] for field in fields}
        rest = {field.name: secrets.token_hex(4)[: field.max_length] for field in contract.marked}
        row = {**RowProgram(bench.program).example(), **rest, **values}
        found.append(Sent(json.dumps(row).encode(), values))
    return found


def training_values(bench: Bench, *, most: int = 5) -> list[str]:
    """Some values of the marked fields in the system's own data, as its source gives them."""
    try:
        rows = bench.once(raw).rows
    except BluegoldError:
        return []  # without a definition there is no data to look for
    found: list[str] = []
    for field in bench.program.contract.marked:
        if field.financial_id and field.name in rows.columns:
            values = rows[field.name].cast(pl.String).drop_nulls().unique(maintain_order=True).head(most).to_list()
            found += [value for value in values if len(value) >= LEAST]
    return found


def found_in(folder: Path, values: Iterable[str]) -> tuple[int, list[str]]:
    """Search every file below a folder, Parquet and Arrow files decoded, for values in the open.

    Returns:
        how many files were read, and ``path: value`` for each that was found.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a.log").write_bytes(b"paid by ES9121000418")
        20
        >>> found_in(folder, ["ES9121000418"])[1][0].partition(":")[0]
        'a.log'
    """
    wanted = {value: value.encode() for value in values}
    number, hits = 0, []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        number += 1
        for text in _contents(path):
            hits += [f"{path.relative_to(folder)}: {value[:4]}..." for value, raw in wanted.items() if raw in text]
    return number, sorted(set(hits))


def _contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what is packed in it."""
    try:
        raw = path.read_bytes()
    except OSError:
        return  # it was there a moment ago: a log that was rolled over, a socket
    yield raw
    reader = {b"PAR1": pl.read_parquet, b"ARRO": pl.read_ipc}.get(raw[:4])
    if reader is not None:
        try:
            yield reader(io.BytesIO(raw)).write_json().encode()
        except pl.exceptions.PolarsError:
            return  # half written; what is readable of it was looked at
