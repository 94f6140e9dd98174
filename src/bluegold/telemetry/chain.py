"""A hash chain: every link names the digest of the one before, so no entry can change unseen.

Source: the construction is that of S. Haber and W. S. Stornetta (1991), *How to Time-Stamp a Digital Document*.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

__all__ = ["GENESIS", "Break", "Link", "canonical", "link", "verify"]

#: What the first link names as its predecessor.
GENESIS = "0" * 64

_ENCODER = msgspec.json.Encoder(order="deterministic")


class Link(msgspec.Struct, frozen=True):
    """One entry as found: what it claims to follow, its content, its own digest, and its name for messages."""

    name: str
    previous: str
    body: bytes
    digest: str


class Break(msgspec.Struct, frozen=True):
    """Where a chain does not hold.  ``checked`` links before it were good."""

    name: str
    why: str
    checked: int


def canonical(value: object) -> bytes:
    """The one JSON text of a value: keys sorted, no blanks.

    Example:
        >>> canonical({"b": 1, "a": (2, 3)})
        b'{"a":[2,3],"b":1}'
    """
    return _ENCODER.encode(value)


def link(previous: str, body: bytes) -> str:
    """The digest (sha256, hex) of the entry ``body`` that follows the entry with digest ``previous``.

    Example:
        >>> link(GENESIS, b"first") == link(GENESIS, b"first!")
        False
    """
    return hashlib.sha256(previous.encode() + b"\n" + body).hexdigest()


def verify(links: Iterable[Link], previous: str = GENESIS) -> tuple[int, str, Break | None]:
    """Walk a chain from ``previous`` on.

    Returns:
        the number of good links, the digest of the last good one, and the first break or None.

    Example:
        >>> first = link(GENESIS, b"a")
        >>> verify([Link("row 1", GENESIS, b"a", first), Link("row 2", first, b"changed", link(first, b"b"))])
        (1, '...', Break(name='row 2', why='its content does not have its digest', checked=1))
    """
    checked = 0
    for entry in links:
        if entry.previous != previous:
            return checked, previous, Break(entry.name, "it does not follow the entry before it", checked)
        if link(previous, entry.body) != entry.digest:
            return checked, previous, Break(entry.name, "its content does not have its digest", checked)
        previous = entry.digest
        checked += 1
    return checked, previous, None
