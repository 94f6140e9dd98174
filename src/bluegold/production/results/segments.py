"""The file format of the decision log: chained JSON lines in numbered segments, one folder per worker.

A line is ``{"digest":"<sha256>","record":{...}}``; the digest covers the digest of the line before and
the exact bytes of the record, so that no byte can change unseen.  A decision's id is its place:
``worker-segment-offset``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bluegold.production.results.records import SegmentHeader, decode_record
from bluegold.telemetry.chain import GENESIS, link

__all__ = [
    "Gone",
    "Head",
    "Place",
    "gone",
    "header_of",
    "last_head",
    "line",
    "lines",
    "parse_line",
    "segment_path",
    "segments",
    "workers",
]

_HEAD, _MIDDLE, _TAIL = b'{"digest":"', b'","record":', b"}\n"
_BODY = len(_HEAD) + 64 + len(_MIDDLE)
_ID = re.compile(r"(\d{1,4})-(\d{1,9})-(\d{1,15})", re.ASCII)


class Place(msgspec.Struct, frozen=True):
    """Where a record lies.

    Example:
        >>> str(Place.parse("0-12-4821"))
        '0-12-4821'
        >>> Place.parse("../../etc/passwd") is None
        True
    """

    worker: int
    segment: int
    offset: int

    def __str__(self) -> str:
        return f"{self.worker}-{self.segment}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """The place an id names, or None when the text is no id."""
        found = _ID.fullmatch(text)
        return cls(*(int(part) for part in found.groups())) if found else None


class Head(msgspec.Struct, frozen=True):
    """How far a worker's log reaches: its newest segment, the digest of the last line, the bytes up to its end."""

    segment: int = 0
    digest: str = GENESIS
    size: int = 0


def line(previous: str, body: bytes) -> tuple[str, bytes]:
    """The digest and the bytes of the line that follows ``previous``."""
    digest = link(previous, body)
    return digest, b"".join((_HEAD, digest.encode(), _MIDDLE, body, _TAIL))


def parse_line(raw: bytes) -> tuple[str, bytes] | None:
    """Digest and record bytes of one complete line, or None when it does not have the form of one.

    Example:
        >>> digest, raw = line(GENESIS, b"{}")
        >>> parse_line(raw) == (digest, b"{}")
        True
        >>> parse_line(raw[:-1]) is None
        True
    """
    if raw.startswith(_HEAD) and raw[_BODY - len(_MIDDLE) : _BODY] == _MIDDLE and raw.endswith(_TAIL):
        digest = raw[len(_HEAD) : len(_HEAD) + 64]
        if digest.isalnum() and digest.isascii():
            return digest.decode(), raw[_BODY : -len(_TAIL)]
    return None


def lines(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The complete lines of ``raw`` with their offsets; an unfinished last line is left out."""
    start = 0
    while (end := raw.find(b"\n", start)) >= 0:
        yield start, raw[start : end + 1]
        start = end + 1


def segment_path(root: Path, worker: int, segment: int) -> Path:
    """The file of one segment.

    Example:
        >>> segment_path(Path("decisions"), 1, 12).as_posix()
        'decisions/worker-1/000000012.jsonl'
    """
    return root / f"worker-{worker}" / f"{segment:09d}.jsonl"


def workers(root: Path) -> list[int]:
    """The workers that left decisions below ``root``, in order."""
    found = (re.fullmatch(r"worker-(\d{1,4})", path.name, re.ASCII) for path in root.glob("worker-*"))
    return sorted(int(match.group(1)) for match in found if match)


def segments(root: Path, worker: int) -> list[int]:
    """The segments one worker left, oldest first."""
    return sorted(int(path.stem) for path in (root / f"worker-{worker}").glob("*.jsonl") if path.stem.isdecimal())


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """Where the log of a worker was cut off: all segments up to ``segment`` are in the archive only.

    ``digest`` is what the next segment hangs on, ``size`` how many bytes of the last one count, ``archive`` its folder.
    """

    segment: int
    digest: str
    size: int
    archive: str

    @property
    def head(self) -> Head:
        """Where the chain goes on."""
        return Head(self.segment, self.digest, self.size)


def gone(root: Path, worker: int) -> Gone | None:
    """What was moved to the archive of one worker's log; None when nothing was."""
    try:
        return msgspec.json.decode((root / f"worker-{worker}" / "archived.json").read_bytes(), type=Gone)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def last_head(root: Path, worker: int) -> Head:
    """Where the log of one worker ends on the disk.

    A crash can leave half a line, or a segment without a whole line, behind; neither was acknowledged
    and neither counts.
    """
    for segment in reversed(segments(root, worker)):
        raw = segment_path(root, worker, segment).read_bytes()
        end = raw.rfind(b"\n") + 1
        while end > 0:
            start = raw.rfind(b"\n", 0, end - 1) + 1
            parsed = parse_line(raw[start:end])
            if parsed is not None:
                return Head(segment, parsed[0], end)
            end = start
    return Head()


def header_of(body: bytes) -> SegmentHeader | None:
    """The segment header in ``body``, or None when it is something else."""
    try:
        record = decode_record(body)
    except msgspec.DecodeError:
        return None
    return record if isinstance(record, SegmentHeader) else None
