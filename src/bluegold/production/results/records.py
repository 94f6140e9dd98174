"""What the decision log holds: one record per decision, one per outcome, one header per segment."""

from __future__ import annotations

import math
import time
from typing import Any

import msgspec

from bluegold.core.nouns import Color
from bluegold.registry.rule import Value

__all__ = [
    "DecisionRecord",
    "Other",
    "OutcomeRecord",
    "Record",
    "SegmentHeader",
    "decode_record",
    "encode_record",
    "microseconds",
]


def microseconds() -> int:
    """Now, in microseconds since 1970 UTC: the unit of every ``at`` in the log.

    Example:
        >>> microseconds() > 1_600_000_000_000_000
        True
    """
    return time.time_ns() // 1000


class Other(msgspec.Struct, frozen=True, kw_only=True):
    """What the colour that did not answer would have said about the same row."""

    color: Color
    version: str
    value: Value
    score: float
    latency_us: int = 0


class DecisionRecord(msgspec.Struct, kw_only=True, tag_field="kind", tag="decision"):
    """One decision with everything needed to explain, repeat and judge it.

    ``routed`` is the colour the request belonged to, ``color`` the one that answered: they differ when
    Gold failed and Blue stepped in, and ``error`` then says how Gold failed.  ``vector`` is the model's
    input (null where the matrix holds NaN).  ``input_digest`` is the sha256 of the encoded payload,
    ``features_digest`` names the feature program.  ``attempt`` is the edge's name for the request, the same
    when it had to be sent again.  ``payload`` and ``entity`` hold pseudonyms where the contract marks a field as
    personal; ``sealed`` holds those fields' values, encrypted one by one.  Times are microseconds.  ``id`` is given
    by the log.

    Example:
        >>> record = DecisionRecord(at=1, model="m", version="v1", color="blue", value=True, score=0.75)
        >>> decode_record(encode_record(record)).score
        0.75
    """

    at: int
    model: str
    version: str
    color: Color
    value: Value
    score: float
    id: str = ""
    routed: Color = "blue"
    request: str = ""
    entity: str = ""
    other: Other | None = None
    error: str = ""
    flags: tuple[str, ...] = ()
    payload: Any = None
    vector: list[float | None] = []
    input_digest: str = ""
    features_digest: str = ""
    latency_us: int = 0
    revision: int = 0
    caller: str = ""
    canary: bool = False
    scores: tuple[float, ...] = ()
    attempt: str = ""
    sealed: dict[str, str] | msgspec.UnsetType = msgspec.UNSET

    def matrix_row(self) -> list[float]:
        """The model's input as numbers, with NaN where nothing was known.

        Example:
            >>> DecisionRecord(
            ...     at=1, model="m", version="v1", color="blue", value=True, score=0.5, vector=[1.0, None]
            ... ).matrix_row()
            [1.0, nan]
        """
        return [math.nan if value is None else value for value in self.vector]


class OutcomeRecord(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="outcome"):
    """What turned out to be true for an earlier decision; ``id`` is that decision's."""

    id: str
    value: Value
    at: int


class SegmentHeader(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="segment"):
    """First line of a segment: where the chain comes from.

    ``follows`` is the number of the segment before (0: none), ``previous`` its last digest and
    ``previous_size`` how many of its bytes are acknowledged; what stands behind them is the torn tail of a crash.
    """

    worker: int
    segment: int
    follows: int
    previous: str
    previous_size: int
    at: int


Record = DecisionRecord | OutcomeRecord | SegmentHeader

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """One record as compact JSON, without a line break."""
    return _ENCODER.encode(record)


def decode_record(body: bytes) -> Record:
    """The record behind ``body``.

    Raises:
        msgspec.DecodeError: it is not a record.
    """
    try:
        return _DECODER.decode(body)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from error
