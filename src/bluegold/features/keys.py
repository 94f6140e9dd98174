"""Keys and values of the online store.

``stream  entity  0  moment  event`` -> running count, running fixed-point sum, own value.  The running figures
start anew at every multiple of the history's window, so an event that comes late corrects at most one window.
"""

from __future__ import annotations

import functools
import hashlib
import struct
from typing import Any

__all__ = [
    "BIAS",
    "EVENT_BYTES",
    "FIGURES",
    "MOMENT",
    "SUFFIX",
    "Key",
    "entity_key",
    "event_key",
    "just_below",
    "moment_key",
    "moment_of",
    "wrapped",
]

Key = tuple[Any, ...]
BIAS = 2**63
MOMENT = struct.Struct(">Q")
FIGURES = struct.Struct(">Qqq")
EVENT_BYTES = 8
#: Bytes after the entity: moment and event.
SUFFIX = MOMENT.size + EVENT_BYTES
LONGEST_ENTITY = 200


@functools.lru_cache(maxsize=65_536)
def entity_key(key: Key) -> bytes:
    """The entity's part of a key, ended by a zero byte; long ones are hashed.

    Example:
        >>> entity_key(("EWR", 7))
        b'EWR\\x1f7\\x00'
    """
    text = "\x1f".join(map(str, key)).encode() if len(key) > 1 else str(key[0]).encode()
    if len(text) > LONGEST_ENTITY or b"\0" in text:
        text = hashlib.sha256(text).hexdigest().encode()
    return text + b"\0"


@functools.lru_cache(maxsize=1024)
def moment_key(at: int) -> bytes:
    """Microseconds since 1970 in an order that bytes keep.

    Example:
        >>> moment_key(-1) < moment_key(0) < moment_key(10**15)
        True
    """
    return MOMENT.pack(at + BIAS)


def moment_of(key: bytes) -> int:
    """The moment at the end of a looked-up row's key."""
    found: int = MOMENT.unpack(key[-MOMENT.size :])[0]
    return found - BIAS


def event_key(request_id: str) -> bytes:
    """Identity of an observed event."""
    return hashlib.blake2b(request_id.encode(), digest_size=EVENT_BYTES).digest()


def just_below(key: bytes) -> bytes:
    """The largest key of the same length below ``key``."""
    return (int.from_bytes(key, "big") - 1).to_bytes(len(key), "big")


def wrapped(total: int) -> int:
    """``total`` as a 64-bit sum that wraps around, as running sums of whole frames do."""
    return total if -BIAS <= total < BIAS else (total + BIAS) % (2 * BIAS) - BIAS
