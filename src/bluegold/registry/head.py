"""The end of the audit chain, and what digests and signatures of the registry are taken over.

The head is kept twice: in the database and in a small file beside the signing key.  The file has two slots of one disk
sector, written in turn, so that a torn write spoils one at most and no write has to wait for the disk: the file may
lag behind the database, but it is never ahead of it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec

from bluegold.core.errors import IntegrityError
from bluegold.security.signing import Verifier
from bluegold.telemetry.chain import canonical

__all__ = ["Head", "chain_body", "head_message", "read_head", "row_digest", "write_head"]

_SLOT = 512


class Head(msgspec.Struct, frozen=True):
    """The end of the chain: number, time (us) and digest of the newest row, signed."""

    number: int
    at: int
    digest: str
    signature: str


def head_message(number: int, digest: str) -> bytes:
    """What a head's signature signs."""
    return canonical(["audit head", number, digest])


def chain_body(row: Any) -> bytes:
    """What an audit row's digest is taken over."""
    return canonical([row.number, row.at, row.who, row.action, row.subject, row.outcome, row.details])


def row_digest(body: str) -> str:
    """What an audit row says about the governed row it was written for."""
    return hashlib.sha256(body.encode()).hexdigest()


def write_head(path: Path, head: Head) -> None:
    """Keep a head in its slot of the file beside the key; raises ``OSError`` when that fails."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(handle, canonical(head).ljust(_SLOT), _SLOT * (head.number % 2))
    finally:
        os.close(handle)


def read_head(path: Path, verifier: Verifier, known: Head | None = None) -> Head:
    """The newest head in the file beside the key.

    Args:
        path: the file.
        verifier: this installation's public key.
        known: a head whose signature was verified already; to the byte the same, it is not verified again.

    Raises:
        IntegrityError: the file is missing, or none of its slots holds a signed head.
    """
    found: list[Head] = []
    why = "no slot of it holds a signed head"
    try:
        data = path.read_bytes()
    except OSError as error:
        data, why = b"", str(error)
    for start in (0, _SLOT):
        try:
            found.append(msgspec.json.decode(data[start : start + _SLOT], type=Head))
        except msgspec.MsgspecError:
            continue
    for head in sorted(found, key=lambda head: head.number, reverse=True):
        try:
            if head != known:
                verifier.verify(head_message(head.number, head.digest), head.signature)
        except IntegrityError:
            continue
        return head
    raise IntegrityError(
        f"the signed head '{path}' does not hold", why=why, way_out="restore the keys folder from a backup"
    )
