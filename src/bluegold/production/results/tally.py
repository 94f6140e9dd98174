"""Tally: how many decisions versions gave, and which were the latest, without reading more of the log than agreed.

What was exported is counted from the manifest of the results store, which names the rows of every file; of the log
only what came after is read, newest segment first, up to a number of bytes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import polars as pl

from bluegold.core.nouns import Noun
from bluegold.core.workspace import Workspace
from bluegold.production.results.partitions import Partitions
from bluegold.production.results.records import DecisionRecord, OutcomeRecord, Record, decode_record
from bluegold.production.results.results_store import ResultsStore
from bluegold.production.results.segments import gone, lines, parse_line, segment_path, segments, workers
from bluegold.registry.rule import Value

__all__ = ["Answered", "Brief", "outcomes_of", "tally"]

BUDGET = 64 * 1024 * 1024
CHUNK = 8 * 1024 * 1024
SLACK = 1_000
_FILES = 8


class Brief(Noun, frozen=True, kw_only=True):
    """One decision in short; ``outcome`` is what turned out to be true, None while nobody said.

    ``canary``: nobody asked it but the server itself, for a known answer.
    """

    id: str
    at: dt.datetime
    value: str
    score: float
    color: str
    canary: bool = False
    outcome: str | None = None


class Answered(Noun, frozen=True, kw_only=True):
    """What one version answered.

    Attributes:
        ref: the version.
        decisions: how many decisions were counted, known answers included.
        exact: whether that is all of them; False when the log holds more than may be read at once.
        latest: the newest of them, newest first.
    """

    ref: str
    decisions: int
    exact: bool
    latest: tuple[Brief, ...]


class _Span(msgspec.Struct, frozen=True):
    """A piece of the log that was not exported yet."""

    path: Path
    start: int
    size: int
    at: float


class _Reading:
    """Reads spans, the newest first, up to a number of bytes; ``unread`` says how many were left."""

    def __init__(self, spans: list[_Span], budget: int) -> None:
        self._spans = sorted(spans, key=lambda one: one.at, reverse=True)
        self._left = budget
        self.unread = 0

    def __iter__(self) -> Iterator[Record]:
        for span in self._spans:
            take = min(self._left, span.size)
            self.unread, self._left = self.unread + span.size - take, self._left - take
            yield from _records(span, take)


def tally(
    workspace: Workspace, refs: Sequence[str], latest: int = 10, budget: int = BUDGET
) -> tuple[dict[str, Answered], int]:
    """Count the decisions of versions.

    Args:
        workspace: whose decisions.
        refs: the versions, as full references.
        latest: how many of each to show.
        budget: bytes of the log that may be read.

    Returns:
        version -> what it answered, and the bytes of the log that were left unread (then nothing is exact).

    Example:
        >>> import tempfile
        >>> found, unread = tally(Workspace.create(Path(tempfile.mkdtemp())), ["m:v1"])
        >>> found["m:v1"].decisions, found["m:v1"].exact, unread
        (0, True, 0)
    """
    store = ResultsStore(workspace)
    counts, files = _counted(store.decisions, refs)
    spans, lost = _unread(workspace.decisions, store.decisions.positions)
    newest: dict[str, list[DecisionRecord]] = {ref: [] for ref in refs}
    outcomes: dict[str, str] = {}
    read = _Reading(spans, budget)
    for record in read:
        if isinstance(record, OutcomeRecord):
            outcomes[record.id] = _text(record.value)
        elif isinstance(record, DecisionRecord) and _of(record) in counts:
            counts[_of(record)] += 1
            found = newest[_of(record)]
            found.append(record)
            if len(found) > 2 * latest + SLACK:
                _trim(found, latest)
    for found in newest.values():
        _trim(found, latest)
    shown = {ref: _briefs(newest[ref]) + _exported(files[ref], latest - len(newest[ref])) for ref in counts}
    outcomes = _outcomes(store.outcomes, {one.id for briefs in shown.values() for one in briefs}) | outcomes
    return {
        ref: Answered(
            ref=ref,
            decisions=counts[ref],
            exact=read.unread == 0 and not lost,
            latest=tuple(msgspec.structs.replace(one, outcome=outcomes.get(one.id)) for one in shown[ref]),
        )
        for ref in counts
    }, read.unread


def outcomes_of(workspace: Workspace, decision: str, budget: int = BUDGET) -> tuple[tuple[OutcomeRecord, ...], int]:
    """What turned out to be true for one decision, oldest first.

    Args:
        workspace: whose decisions.
        decision: the decision's id.
        budget: bytes of the log that may be read; what was exported is asked beside that.

    Returns:
        the outcomes, and the bytes of the log that were left unread.
    """
    store, found = ResultsStore(workspace), []
    if store.outcomes.files():
        rows = store.outcomes.scan().filter(pl.col("id") == decision).collect(engine="streaming")
        for row in rows.iter_rows(named=True):
            at = row["at"].replace(tzinfo=dt.timezone.utc)
            found.append(OutcomeRecord(id=decision, value=_value(row["value"]), at=round(at.timestamp() * 1e6)))
    spans, _ = _unread(workspace.decisions, store.outcomes.positions)
    read = _Reading(spans, budget)
    found += [one for one in read if isinstance(one, OutcomeRecord) and one.id == decision]
    return tuple(sorted(found, key=lambda one: one.at)), read.unread


def _value(text: str) -> Value:
    """The value that was exported as text; a label that looks like a number reads as one."""
    try:
        return msgspec.json.decode(text, type=bool | float)
    except msgspec.DecodeError:
        return text


def _counted(parts: Partitions, refs: Sequence[str]) -> tuple[dict[str, int], dict[str, list[Path]]]:
    """How many decisions of each version were exported, and the files that hold them here."""
    counts = dict.fromkeys(refs, 0)
    files: dict[str, list[Path]] = {ref: [] for ref in refs}
    away = parts.away
    for batch in parts.batches:
        for part in batch.parts:
            ref = _ref_of(part.path)
            if ref in counts:
                counts[ref] += part.rows
                files[ref] += [parts.root / part.path] * (part.path not in away)
    return counts, files


def _trim(found: list[DecisionRecord], latest: int) -> None:
    found.sort(key=lambda one: one.at, reverse=True)
    del found[latest:]


def _ref_of(path: str) -> str:
    """The version that a file of the results store is of: ``model=m/version=v1/day=...``."""
    named = dict(folder.partition("=")[::2] for folder in path.split("/")[:2])
    model, version = named.get("model", ""), named.get("version", "")
    return version if ":" in version else f"{model}:{version}"


def _of(record: DecisionRecord) -> str:
    return record.version if ":" in record.version else f"{record.model}:{record.version}"


def _unread(root: Path, positions: dict[str, int]) -> tuple[list[_Span], bool]:
    """What of the log was not exported, and whether some of that is in the archive only."""
    spans, lost = [], False
    for worker in workers(root):
        left = gone(root, worker)
        lost = lost or (left is not None and f"{worker}/{left.segment}" not in positions)
        for segment in segments(root, worker):
            path, start = segment_path(root, worker, segment), positions.get(f"{worker}/{segment}", 0)
            try:
                found = path.stat()
            except FileNotFoundError:  # archived this moment
                continue
            if found.st_size > start:
                spans.append(_Span(path, start, found.st_size - start, found.st_mtime))
    return spans, lost


def _records(span: _Span, take: int) -> Iterator[Record]:
    """The records in the last ``take`` bytes of a span; lines that are cut or damaged are passed over."""
    try:
        file = span.path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(span.start + span.size - take)
        if take < span.size:
            file.readline()
        end, rest = span.start + span.size, b""
        while file.tell() < end and (raw := file.read(min(CHUNK, end - file.tell()))):
            raw, done = rest + raw, 0
            for start, line in lines(raw):
                done = start + len(line)
                parsed = parse_line(line)
                if parsed is not None:
                    try:
                        yield decode_record(parsed[1])
                    except msgspec.DecodeError:
                        continue
            rest = raw[done:]


def _briefs(records: Sequence[DecisionRecord]) -> list[Brief]:
    return [
        Brief(
            id=one.id,
            at=dt.datetime.fromtimestamp(one.at / 1e6, dt.timezone.utc),
            value=_text(one.value),
            score=one.score,
            color=one.color,
            canary=one.canary,
        )
        for one in records
    ]


def _exported(files: Sequence[Path], wanted: int) -> list[Brief]:
    """The newest of what was exported, from the newest files only."""
    there = sorted((path for path in files if path.is_file()), key=lambda path: (path.parent.name, path.name))[-_FILES:]
    if wanted <= 0 or not there:
        return []
    rows = (
        pl.scan_parquet(there).select("id", "at", "value", "score", "color", "canary").top_k(wanted, by="at").collect()
    )
    found = [Brief(**{**row, "at": row["at"].replace(tzinfo=dt.timezone.utc)}) for row in rows.iter_rows(named=True)]
    return sorted(found, key=lambda one: one.at, reverse=True)


def _outcomes(parts: Partitions, wanted: set[str]) -> dict[str, str]:
    if not wanted or not parts.files():
        return {}
    rows = parts.scan().filter(pl.col("id").is_in(sorted(wanted))).select("id", "value").collect(engine="streaming")
    return dict(zip(rows["id"].to_list(), rows["value"].to_list(), strict=True))


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
