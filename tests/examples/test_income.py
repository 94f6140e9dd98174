"""The regulated example on its real data: developed, judged by six gates, and promoted only when a person approves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bluegold as bg
from bluegold.core.errors import AccessDenied
from bluegold.core.workspace import Workspace
from bluegold.delivery.controller import deliver
from bluegold.development import develop
from bluegold.features.program import FeatureProgram
from bluegold.registry import Registry

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "income"


@pytest.mark.slow
def test_income_passes_six_gates_and_waits_for_a_person(tmp_path: Path) -> None:
    """Run `make test` once to have its data installed into examples/income/data."""
    space = Workspace.create(tmp_path / "space")
    system = bg.load_system(FOLDER)
    with Registry.open(space, actor="release automation") as registry:
        version = develop(system, space, registry, author="ada")
        program = FeatureProgram.from_json(registry.versions.artefact(version.ref, "program.json"))
        assert not {"sex", "race", "cohort"} & set(program.names)
        assert json.loads(registry.versions.artefact(version.ref, "parity.json"))["mismatches"] == 0

        release = deliver(version.ref, registry, space)
        assert release.phase == "waiting_for_approval"
        assert {report.verdict for report in registry.gates.reports(version.ref)} == {"pass"}
        assert registry.lifecycle.production(system.name) is None

        with pytest.raises(AccessDenied, match="author"):
            registry.approvals.approve(version.ref, "ada", "it is mine")
        registry.approvals.approve(version.ref, "vera", "read the report")
        assert deliver(version.ref, registry, space, actor="vera").phase == "promoted"
        assert registry.audit.verify().ok
