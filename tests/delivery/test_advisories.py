"""Advisories from a folder: ranges, listed versions, aliases, withdrawn records, and what a plan makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from bluegold.core.nouns import GateReport
from bluegold.core.plan_file import read_plan
from bluegold.core.workspace import Workspace
from bluegold.delivery.advisories import Advisories
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.gating import GATES
from bluegold.registry import Registry


def record(identifier: str, *events: tuple[str, str], package: str = "Some_Package", **more: Any) -> dict[str, Any]:
    """One record as the public databases write it, with parts that do not matter here."""
    affected = {
        "package": {"name": package, "ecosystem": "PyPI", "purl": "pkg:pypi/some-package"},
        "ranges": [
            {"type": "GIT", "repo": "x", "events": [{"introduced": "0"}, {"fixed": "abcdef"}]},
            {"type": "ECOSYSTEM", "events": [{kind: version} for kind, version in events]},
        ],
    }
    return {"id": identifier, "summary": "s", "schema_version": "1.6.0", "affected": [affected], **more}


def found(version: str, *records: dict[str, Any], tmp_path: Path) -> list[str]:
    for number, one in enumerate(records):
        (tmp_path / f"{number}.json").write_bytes(msgspec.json.encode(one))
    known = Advisories.read(tmp_path)
    assert isinstance(known, Advisories), known
    return known.audit(f"some-package=={version}\nother==1")[1]


@pytest.mark.parametrize(
    ("version", "hit"),
    [
        *[("0.9", False), ("1.0rc1", False), ("1.0", True), ("1.2.5", True), ("1.3rc1", True), ("1.3", False)],
        *[("1.3.post1", False), ("2.0", True), ("2.4+cu118", True), ("2.4.post1", False), ("2.5", False)],
    ],
)
def test_a_version_is_held_against_every_stretch_of_a_range(version: str, hit: bool, tmp_path: Path) -> None:
    """The events may come in any order; the last stretch says which version is the last affected one."""
    events = (("fixed", "1.3"), ("introduced", "2.0"), ("introduced", "1.0"), ("last_affected", "2.4"))
    said = found(version, record("PYSEC-1", *events), tmp_path=tmp_path)
    assert bool(said) is hit
    if version == "1.2.5":
        assert said == ["some-package==1.2.5: PYSEC-1 (mended in 1.3)"]


def test_aliases_are_said_once_and_the_withdrawn_not_at_all(tmp_path: Path) -> None:
    github = record("GHSA-1", ("introduced", "0"), ("fixed", "1.5"), aliases=["CVE-1", "PYSEC-1"])
    python = record("PYSEC-1", ("introduced", "0"), ("fixed", "1.6"), aliases=["CVE-1"])
    other = record("CVE-2", ("introduced", "0"), aliases=[])
    withdrawn = record("PYSEC-9", ("introduced", "0"), withdrawn="2024-01-01T00:00:00Z")
    assert found("1.0", github, python, other, withdrawn, tmp_path=tmp_path) == [
        "some-package==1.0: GHSA-1, CVE-1, PYSEC-1 (mended in 1.6)",
        "some-package==1.0: CVE-2 (no release is said to mend it: leave the package out)",
    ]


def test_listed_versions_other_ecosystems_and_records_without_a_package(tmp_path: Path) -> None:
    listed = record("L-1")
    listed["affected"][0] |= {"ranges": [], "versions": ["1.0", "1.1.0"]}
    foreign = record("N-1", ("introduced", "0"))
    foreign["affected"][0]["package"]["ecosystem"] = "npm"
    bare = {"id": "G-1", "affected": [{"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}], "aliases": None}
    assert [one.split(" ")[1] for one in found("1.1", listed, foreign, bare, tmp_path=tmp_path)] == ["L-1"]
    assert found("1.2", listed, foreign, bare, tmp_path=tmp_path) == []


def gate(space: Workspace, registry: Registry, security: str, folder: Path) -> GateReport:
    """Gate 5 of the honest candidate under a plan as somebody writes it."""
    folder.mkdir(exist_ok=True)
    (folder / "architecture.yaml").write_text(f"system: pumps\nsecurity: {security}\n", encoding="utf-8")
    plan = read_plan(folder / "architecture.yaml")
    return GATES["5 security"](Candidate.open(registry, space, "v2", plan))


def test_a_plan_names_a_folder_and_a_vulnerable_environment_is_refused(
    registry: Registry, workspace: Workspace, tmp_path: Path
) -> None:
    feed = workspace.root / "feed"
    (feed / "2024").mkdir(parents=True)
    source = "{advisories: feed}"
    assert gate(workspace, registry, source, tmp_path / "p").verdict == "hold", "an empty source is no audit"
    safe = record("PYSEC-2", ("introduced", "0"), ("fixed", "0.0.2"), package="polars")
    (feed / "2024" / "PYSEC-2.json").write_bytes(msgspec.json.encode(safe))
    assert gate(workspace, registry, source, tmp_path / "p").verdict == "pass"
    bad = record("PYSEC-3", ("introduced", "0"), ("fixed", "9999"), package="Polars", aliases=["CVE-3"])
    (feed / "2024" / "PYSEC-3.json").write_bytes(msgspec.json.encode(bad))
    refused = gate(workspace, registry, source, tmp_path / "p")
    assert refused.verdict == "fail"
    assert "PYSEC-3, CVE-3 (mended in 9999)" in refused.reason


def test_a_skipped_audit_holds_only_where_the_plan_says_so(
    registry: Registry, workspace: Workspace, tmp_path: Path
) -> None:
    assert gate(workspace, registry, "{}", tmp_path / "p").verdict == "pass"
    held = gate(workspace, registry, "{without_advisories: hold}", tmp_path / "p")
    assert (held.verdict, "security.advisories" in held.reason) == ("hold", True)
    missing = gate(workspace, registry, "{advisories: nowhere}", tmp_path / "p")
    assert (missing.verdict, "nowhere" in missing.reason) == ("hold", True)
