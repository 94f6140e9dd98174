"""The plan says exactly what architecture.yaml says, or names the place that cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluegold.core.errors import DefinitionError
from bluegold.core.plan_file import read_plan


def _write(folder: Path, text: str) -> Path:
    file = folder / "architecture.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_are_safe(tmp_path: Path) -> None:
    plan = read_plan(_write(tmp_path, "system: churn\n"))
    assert plan.rollout.shares[-1] == 1.0
    assert plan.rollout.alpha <= 0.05
    assert plan.governance.approval == "automatic"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("system: x\ntopologi: batch\n", "topologi.*it knows system, .*topology"),
        ("system: x\nrollout: {holds: 3}\n", "holds.*it knows shadow_s, .*hold_s"),
        ("system: x\nrequirements: {AP-7: {threshold: 0.9, why: x}}\n", "`why`.*it knows reason, threshold"),
        ("system: x\ntopology: sometimes\n", "topology"),
        ("system: x\nrollout: {shares: [0.5, 0.1, 1.0]}\n", "rollout.shares"),
        ("system: x\nrollout: {shares: [0.1, 0.5]}\n", "rollout.shares"),
        ("system: x\nrollout: {canary: 1.5}\n", "canary"),
        ("system: x\nregulated: true\n", "regulated"),
        ("system: x\nrequirements: {AP-7: {threshold: 0.9}}\n", "reason"),
        ("- a list\n", "Expected `object`"),
        ("system: [unclosed\n", "not a valid plan"),
        ("", "system"),
    ],
)
def test_what_cannot_be_meant_is_named(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(DefinitionError, match=place.replace("[", r"\[")):
        read_plan(_write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="cannot be read"):
        read_plan(tmp_path / "none.yaml")


def test_binary_is_no_plan(tmp_path: Path) -> None:
    file = tmp_path / "architecture.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DefinitionError, match="cannot be read"):
        read_plan(file)


@pytest.mark.parametrize(
    "text",
    [
        "rollout: {shadow_s: -5}",
        "rollout: {min_requests: 0}",
        "rollout: {guardrails: {quality_loss: -0.5}}",
        "rollout: {guardrails: {agreement: 1.5}}",
        "requirements: {AP-7: {threshold: 0.1, reason: ''}}",
    ],
)
def test_a_limit_that_cannot_be_meant_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "architecture.yaml"
    path.write_text(f"system: x\n{text}\n")
    with pytest.raises(DefinitionError, match="at `"):
        read_plan(path)
