"""Checkpoints: signed Merkle roots over the audit chain, and short proofs from them.

One is made for every whole block of rows and whenever somebody asks.  Kept elsewhere, a checkpoint shows later whether
the chain still begins as it did, and a proof of one row can be checked without the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Connection, insert, select

from bluegold.core.errors import IntegrityError, UsageError
from bluegold.core.nouns import AuditEvent
from bluegold.registry.tables import audit_table, checkpoints_table, micros
from bluegold.security.signing import Signer, Verifier
from bluegold.telemetry.chain import canonical, link
from bluegold.telemetry.merkle import Tree, consistent, included, leaf

__all__ = [
    "BLOCK",
    "Checkpoint",
    "Proof",
    "check_proof",
    "checkpoint_in",
    "checkpoint_message",
    "checkpoints_between",
    "continues_in",
    "prove_in",
    "tree_in",
]

#: Rows of a block, a power of two; every whole block has a checkpoint at its end.
BLOCK = 1024

_rows = audit_table.c
_table = checkpoints_table

#: gives the digests of the archived rows after one number up to another
Archived = Callable[[int, int], Sequence[str]]


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The signed root over the audit rows 1 to ``number``; ``at`` is in microseconds since 1970."""

    number: int
    at: int
    root: str
    signature: str


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """That one row is in the chain: the row, the way from it to a checkpoint's root, and the checkpoint."""

    event: AuditEvent
    path: tuple[str, ...]
    checkpoint: Checkpoint


def checkpoint_message(number: int, at: int, root: str) -> bytes:
    """What a checkpoint's signature signs."""
    return canonical(["audit checkpoint", number, at, root])


def tree_in(connection: Connection, end: int, archived: Archived | None = None) -> Tree:
    """The tree over the chain, of which only the leaves that are needed are read, archived ones from their files."""
    query = select(_table.c.number, _table.c.block).where(_table.c.block != "", _table.c.number <= end)
    blocks = {number // BLOCK - 1: bytes.fromhex(block) for number, block in connection.execute(query)}

    def leaves(start: int, stop: int) -> Sequence[bytes]:
        within = select(_rows.digest).where(_rows.number > start, _rows.number <= stop).order_by(_rows.number)
        digests: Sequence[str] = connection.execute(within).scalars().all()
        if archived is not None and len(digests) < stop - start:
            older = archived(start, stop)
            rest = within.where(_rows.number > start + len(older))
            digests = [*older, *connection.execute(rest).scalars()]
        return [leaf(bytes.fromhex(digest)) for digest in digests]

    return Tree(leaves, blocks, BLOCK)


def checkpoint_in(connection: Connection, number: int, at: int, signer: Signer) -> Checkpoint:
    """Sign the root over the rows up to ``number``; a checkpoint that exists is given back."""
    known = connection.execute(select(_table).where(_table.c.number == number)).first()
    if known is not None:
        return Checkpoint(number=number, at=known.at, root=known.root, signature=known.signature)
    tree = tree_in(connection, number)
    block = tree.root(number - BLOCK, number).hex() if number % BLOCK == 0 else ""
    root = tree.root(0, number).hex()
    made = Checkpoint(number=number, at=at, root=root, signature=signer.sign(checkpoint_message(number, at, root)))
    connection.execute(insert(_table), {**msgspec.structs.asdict(made), "block": block})
    return made


def checkpoints_between(connection: Connection, after: int, upto: int, at: int, signer: Signer) -> None:
    """Make the checkpoints of the blocks that ended among the rows after one up to another."""
    for number in range((after // BLOCK + 1) * BLOCK, upto + 1, BLOCK):
        checkpoint_in(connection, number, at, signer)


def prove_in(
    connection: Connection, event: AuditEvent, checkpoint: Checkpoint, archived: Archived | None = None
) -> Proof:
    """The proof that a row is in the chain of a checkpoint."""
    path = tree_in(connection, checkpoint.number, archived).inclusion(event.number - 1, checkpoint.number)
    return Proof(event=event, path=tuple(step.hex() for step in path), checkpoint=checkpoint)


def check_proof(proof: Proof, verifier: Verifier) -> None:
    """Accept a proof, without any registry.

    Raises:
        IntegrityError: the row, the way or the checkpoint was changed; says which.
    """
    event, point = proof.event, proof.checkpoint
    details = canonical(event.details).decode()
    row = [event.number, micros(event.at), event.who, event.action, event.subject, event.outcome, details]
    if link(event.previous, canonical(row)) != event.digest:
        raise IntegrityError(f"audit row {event.number} does not have its digest", subject=f"audit row {event.number}")
    verifier.verify(checkpoint_message(point.number, point.at, point.root), point.signature)
    path = [bytes.fromhex(step) for step in proof.path]
    hashed, root = leaf(bytes.fromhex(event.digest)), bytes.fromhex(point.root)
    if not included(hashed, event.number - 1, point.number, path, root):
        raise IntegrityError(
            f"audit row {event.number} is not among the rows of the checkpoint at {point.number}",
            subject=f"audit row {event.number}",
        )


def continues_in(
    connection: Connection,
    older: Checkpoint,
    newer: Checkpoint,
    verifier: Verifier,
    archived: Archived | None = None,
) -> None:
    """Accept that the chain of ``newer`` begins with exactly the rows of ``older``.

    Raises:
        UsageError: the checkpoint is newer than the chain.
        IntegrityError: the chain was rewritten since, or the older checkpoint is not one of this installation.
    """
    verifier.verify(checkpoint_message(older.number, older.at, older.root), older.signature)
    if older.number > newer.number:
        raise IntegrityError(
            f"the chain ends at row {newer.number}, before the checkpoint's row {older.number}",
            why="rows were removed from its end, or the registry was put back from an older copy",
            subject=f"audit row {newer.number + 1}",
        )
    if older.number < 1:
        raise UsageError("a checkpoint stands for at least one row")
    path = tree_in(connection, newer.number, archived).consistency(older.number, newer.number)
    first, second = bytes.fromhex(older.root), bytes.fromhex(newer.root)
    if not consistent(older.number, first, newer.number, second, path):
        raise IntegrityError(
            f"the first {older.number} audit rows are not those of the checkpoint",
            why="the chain was rewritten after it was made",
            subject=f"audit rows 1 to {older.number}",
        )
