"""Reading the decision log: one decision by id, what is new since last time, and whether anything was changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from bluegold.production.results.records import DecisionRecord, OutcomeRecord, Record, SegmentHeader, decode_record
from bluegold.production.results.segments import (
    Head,
    Place,
    gone,
    header_of,
    lines,
    parse_line,
    segment_path,
    segments,
    workers,
)
from bluegold.telemetry.chain import link

__all__ = ["DecisionReader", "LogReport", "Positions", "Walked"]

Positions = dict[str, int]
"""Segment (``worker/number``) -> bytes read so far."""

CHUNK = 8 * 1024 * 1024


class LogReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found; ``first_bad`` names file, line and fault."""

    ok: bool
    checked: int
    first_bad: str = ""


class Walked(msgspec.Struct, frozen=True, kw_only=True):
    """One segment that was verified: where its chain ends, its lines, whether another follows it, and its fault."""

    segment: int
    head: Head
    checked: int
    finished: bool
    fault: str


class DecisionReader:
    """Reads the logs of all workers below ``root``, while they are being written or afterwards.

    Args:
        root: the folder of all decisions, usually ``Workspace.decisions``.

    Example:
        >>> import tempfile
        >>> DecisionReader(Path(tempfile.mkdtemp())).get("0-1-0") is None
        True
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def root(self) -> Path:
        """The folder of all decisions."""
        return self._root

    def get(self, decision: str) -> DecisionRecord | None:
        """The decision with this id (one seek), or None when there is none."""
        place = Place.parse(decision)
        if place is None:
            return None
        path = segment_path(self._root, place.worker, place.segment)
        left = gone(self._root, place.worker) if not path.is_file() else None
        if left is not None and place.segment <= left.segment:
            path = segment_path(Path(left.archive) / self._root.name, place.worker, place.segment)
        try:
            with path.open("rb") as file:
                file.seek(place.offset)
                record = _record(file.readline())
        except OSError:
            return None
        return record if isinstance(record, DecisionRecord) and record.id == decision else None

    def tail(self, positions: Positions | None = None) -> tuple[list[DecisionRecord | OutcomeRecord], Positions]:
        """Records that arrived since ``positions`` (None: from the beginning), and the new positions.

        At most 8 MiB a segment are read per call, so memory stays bounded; call again until nothing comes.
        A damaged line is passed over here; :meth:`verify` is what names it.
        """
        seen = dict(positions or {})
        found: list[DecisionRecord | OutcomeRecord] = []
        for worker in workers(self._root):
            for segment in segments(self._root, worker):
                key = f"{worker}/{segment}"
                raw = self._read(worker, segment, seen.get(key, 0))
                for _, one in lines(raw):
                    seen[key] = seen.get(key, 0) + len(one)
                    record = _record(one)
                    if isinstance(record, DecisionRecord | OutcomeRecord):
                        found.append(record)
        return found, seen

    def end(self) -> Positions:
        """Positions behind everything that is there now."""
        return {
            f"{worker}/{segment}": segment_path(self._root, worker, segment).stat().st_size
            for worker in workers(self._root)
            for segment in segments(self._root, worker)
        }

    def records(self) -> Iterator[DecisionRecord | OutcomeRecord]:
        """Every record of every worker, oldest first within a worker, in bounded memory."""
        positions: Positions = {}
        while True:
            found, positions = self.tail(positions)
            if not found:
                return
            yield from found

    def verify(self) -> LogReport:
        """Walk every chain and name the first byte range that is not what was written.

        A chain whose beginning was archived is walked from there on.
        """
        checked = 0
        for worker in workers(self._root):
            for walked in self.walk(worker):
                checked += walked.checked
                if walked.fault:
                    return LogReport(ok=False, checked=checked, first_bad=walked.fault)
        return LogReport(ok=True, checked=checked)

    def walk(self, worker: int) -> Iterator[Walked]:
        """The segments of one worker that are here, oldest first, each verified against the one before."""
        left = gone(self._root, worker)
        before = left.head if left else Head()
        known = [segment for segment in segments(self._root, worker) if segment > before.segment]
        headers = [self._header(worker, segment) for segment in known]
        for index, segment in enumerate(known):
            later = [header for header in headers[index + 1 :] if header is not None]
            if any(header.follows < segment for header in later):
                continue  # given up after a failed write: nothing of it was acknowledged
            keep = next((header.previous_size for header in later if header.follows == segment), None)
            before, count, fault = self._verify_segment(worker, segment, before, keep)
            yield Walked(segment=segment, head=before, checked=count, finished=keep is not None, fault=fault)

    def _read(self, worker: int, segment: int, start: int) -> bytes:
        try:
            with segment_path(self._root, worker, segment).open("rb") as file:
                file.seek(start)
                raw = file.read(CHUNK)
                if len(raw) == CHUNK and b"\n" not in raw:
                    raw += file.readline()
                return raw
        except FileNotFoundError:
            return b""

    def _header(self, worker: int, segment: int) -> SegmentHeader | None:
        raw = self._read(worker, segment, 0)
        first = parse_line(raw[: raw.find(b"\n") + 1])
        return header_of(first[1]) if first else None

    def _verify_segment(self, worker: int, segment: int, before: Head, keep: int | None) -> tuple[Head, int, str]:
        path = segment_path(self._root, worker, segment)
        raw = path.read_bytes()
        name = path.relative_to(self._root).as_posix()
        if keep is not None and len(raw) < keep:
            return before, 0, f"{name}: {keep - len(raw)} bytes are missing at its end"
        raw = raw if keep is None else raw[:keep]
        digest, number = before.digest, 0
        for number, (_, one) in enumerate(lines(raw), start=1):
            parsed = parse_line(one)
            if parsed is None:
                return before, number - 1, f"{name}:{number}: not a line of the log"
            header = header_of(parsed[1]) if number == 1 else None
            if number == 1 and (header is None or (header.worker, header.segment) != (worker, segment)):
                return before, 0, f"{name}:1: the header of another segment"
            if header is not None and header.follows != before.segment:
                return before, 0, f"{name}:1: it follows segment {header.follows}, which is missing"
            if link(digest, parsed[1]) != parsed[0]:
                return before, number - 1, f"{name}:{number}: its content does not have its digest"
            digest = parsed[0]
        return (Head(segment, digest, len(raw)) if number else before), number, ""


def _record(raw: bytes) -> Record | None:
    parsed = parse_line(raw)
    try:
        return decode_record(parsed[1]) if parsed else None
    except msgspec.DecodeError:
        return None
