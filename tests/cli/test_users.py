"""Users, reviews and the audit trail's files, as they are used at a terminal."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from bluegold.cli.main import build
from bluegold.core.errors import AccessDenied, UsageError
from bluegold.core.nouns import Lineage
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry


def test_a_review_with_keys_from_beginning_to_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLUEGOLD_WORKSPACE", str(tmp_path / "w"))
    monkeypatch.setenv("BLUEGOLD_ACTOR", "sue")
    app = build()

    def run(*words: str, fails: bool = False) -> str:
        result = CliRunner().invoke(app, list(words))
        if fails:
            assert isinstance(result.exception, AccessDenied | SystemExit), result.output
        else:
            assert result.exit_code == 0, (words, result.output, result.exception)
        return result.stdout

    sue = run("user", "add", "sue", "--role", "security officer").strip()
    run("user", "add", "eve", "--role", "operator", fails=True)
    keys = tmp_path / "sue.key"
    keys.write_text(sue + "\n")
    monkeypatch.delenv("BLUEGOLD_ACTOR")
    monkeypatch.setenv("BLUEGOLD_KEY_FILE", str(keys))
    run("user", "add", "ben", "--role", "validator", "--days", "30")
    assert "counts" in run("user", "list")
    proof, export = tmp_path / "proof.json", tmp_path / "audit.gz"
    proof.write_text(run("audit", "prove", "1"))
    assert "ok   audit row 1 (sue: add user sue" in run("audit", "verify", str(proof))
    point = tmp_path / "point.json"
    point.write_text(run("audit", "checkpoint"))
    run("audit", "export", str(export))
    assert run("audit", "verify", str(export)).startswith("ok ")
    assert "are those of the checkpoint" in run("audit", "verify", str(point))
    assert msgspec.json.decode(run("audit", "verify", "--json"))["ok"]
    proof.write_text(proof.read_text().replace('"sue"', '"eve"'))
    assert run("audit", "verify", str(proof), fails=True).startswith("BAD")
    assert "no version meets that" in run("versions", "auc>0.5", "stage:production")


def test_evidence_is_read_again_as_it_was_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = Workspace.create(tmp_path / "w")
    content = bytes(range(256))
    lineage = Lineage(code="c", data="d", features="f", parameters={}, environment="e", seeds={})
    with Registry.open(space, actor="ada") as registry:
        registry.versions.register("m", {"notes.txt": b"one"}, lineage, {})
        reference = registry.reviews.attach("../slice.bin", content)
        registry.reviews.add("m:v1", "see the slice", actor="ben", evidence=[reference])
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    app, words = build(), ["review", "v1", "--workspace", str(space.root), "--save"]
    assert CliRunner().invoke(app, [*words, reference]).exit_code == 0
    assert (tmp_path / "here" / "slice.bin").read_bytes() == content
    for wrong in (reference, "file:slice.bin:" + "0" * 64):
        assert isinstance(CliRunner().invoke(app, [*words, wrong]).exception, UsageError)
