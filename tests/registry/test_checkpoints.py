"""Merkle roots over the audit chain, proofs from them, and an export that verifies by itself."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from bluegold.core.errors import IntegrityError
from bluegold.core.nouns import ModelVersion
from bluegold.registry import Registry
from bluegold.registry.audit_export import export_audit, verify_export
from bluegold.registry.checkpoints import BLOCK, check_proof
from bluegold.registry.tables import checkpoints_table
from bluegold.security.signing import Signer
from bluegold.telemetry.merkle import Frontier, Tree, consistent, included, leaf

Add = Callable[..., ModelVersion]


@given(size=st.integers(1, 70), data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_proof_holds_and_none_holds_for_another(size: int, data: st.DataObject) -> None:
    leaves = [leaf(bytes([n])) for n in range(size)]
    frontier = Frontier(2)
    for one in leaves:
        frontier.append(one)
    blocks = {n: Tree(lambda lo, hi: leaves[lo:hi]).root(4 * n, 4 * n + 4) for n in range(size // 4)}
    tree = Tree(lambda lo, hi: leaves[lo:hi], blocks, block=4)
    root = tree.root(0, size)
    assert root == frontier.root
    index, before = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    path = tree.inclusion(index, size)
    assert included(leaves[index], index, size, path, root)
    assert not included(leaf(b"other"), index, size, path, root)
    steps = tree.consistency(before, size)
    assert consistent(before, tree.root(0, before), size, root, steps)
    assert not consistent(before, leaf(b"other"), size, root, steps)


@pytest.fixture
def long(registry: Registry, add: Add) -> Registry:
    """A chain of more than a block."""
    add("Production")
    with registry.audit.change() as change:
        for number in range(BLOCK + 20):
            change.append("", "looked", f"at {number}", "done", {})
    return registry


def test_a_row_is_proven_and_an_older_checkpoint_is_its_beginning(long: Registry) -> None:
    verifier = long.audit.signer.verifier
    older = long.audit.checkpoint()
    long.audit.append("", "later", "x")
    proof = long.audit.prove(500)
    check_proof(proof, verifier)
    with pytest.raises(IntegrityError, match="row 500"):
        check_proof(msgspec.structs.replace(proof, event=msgspec.structs.replace(proof.event, who="eve")), verifier)
    with pytest.raises(IntegrityError, match="not among"):
        check_proof(msgspec.structs.replace(proof, path=proof.path[:-1]), verifier)
    assert long.audit.continues(older).number > older.number
    with pytest.raises(IntegrityError):
        long.audit.continues(msgspec.structs.replace(older, root="0" * 64))
    assert long.audit.verify().ok


def test_a_checkpoint_that_was_changed_or_removed_is_found(long: Registry) -> None:
    with long.audit.store.write() as connection:
        connection.execute(update(checkpoints_table).values(block="0" * 64))
    assert long.audit.verify().first_bad == "audit_checkpoints row 1"
    with long.audit.store.write() as connection:
        connection.execute(delete(checkpoints_table))
    assert long.audit.verify().first_bad == f"checkpoint of audit row {BLOCK}"


def test_an_export_verifies_by_itself_and_shows_every_change(long: Registry, tmp_path: Path) -> None:
    path = tmp_path / "audit.gz"
    point = export_audit(long.audit, path)
    report = verify_export(path, long.audit.signer.verifier)
    assert (report.ok, report.checked, report.checkpoint) == (True, point.number, point)
    assert not verify_export(path, Signer.open(tmp_path / "other").verifier).ok
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    spoiled = {
        "audit row 30": [*lines[:30], lines[30].replace(b"looked", b"forgot"), *lines[31:]],
        "audit row 40": [*lines[:40], *lines[41:]],
        "audit row 50": [*lines[:50], lines[51], lines[50], *lines[52:]],
        f"audit row {point.number}": [*lines[:-2], lines[-1]],
        "audit row 1": [lines[0], lines[1].replace(b'\\"auc\\"', b'\\"acc\\"'), *lines[2:]],
    }
    for name, rows in spoiled.items():
        path.write_bytes(gzip.compress(b"".join(rows), 1))
        assert verify_export(path).first_bad == name
    path.write_bytes(gzip.compress(b"".join(lines), 1)[:-500])
    assert "cut" in verify_export(path).why
