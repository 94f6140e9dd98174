"""Facts: everything a document may say about one system, gathered once from definition, tables, registry and ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from bluegold.core.nouns import (
    Approval,
    Finding,
    GateReport,
    ModelVersion,
    StageChange,
    StageContract,
    TrafficSplit,
)
from bluegold.core.plan import Plan
from bluegold.core.workspace import Workspace
from bluegold.design.places import definition_places, definition_texts, module_place, plan_places
from bluegold.development.pipeline import STAGES as DEVELOPMENT
from bluegold.features.system import System
from bluegold.production.contracts import STAGES as PRODUCTION
from bluegold.registry.registry import Registry
from bluegold.registry.tables import Release
from bluegold.registry.verification import ChainReport
from bluegold.requirements.catalog import catalog
from bluegold.requirements.checklist import Row, checklist
from bluegold.requirements.ledger import Ledger

__all__ = ["Facts", "History", "StageFact", "gather"]


class StageFact(msgspec.Struct, frozen=True, kw_only=True):
    """One stage as the document shows it: the method's name, its contract, where that stands."""

    title: str
    contract: StageContract
    place: str


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What the registry knows about one model; empty when nothing was registered yet."""

    versions: tuple[ModelVersion, ...] = ()
    changes: tuple[StageChange, ...] = ()
    reports: dict[str, tuple[GateReport, ...]] = {}
    releases: tuple[Release, ...] = ()
    steps: dict[str, tuple[Release, ...]] = {}
    approvals: dict[str, tuple[Approval, ...]] = {}
    traffic: tuple[TrafficSplit, ...] = ()
    measures: dict[str, dict[str, Any]] = {}
    chain: ChainReport | None = None
    others: tuple[tuple[ModelVersion, tuple[GateReport, ...]], ...] = ()

    @property
    def production(self) -> ModelVersion | None:
        """The version in production."""
        return next((version for version in self.versions if version.stage == "Production"), None)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one system.  ``places`` and ``plan_places`` say where each statement stands."""

    name: str
    plan: Plan
    system: System | None
    places: dict[str, str]
    texts: dict[str, str]
    plan_places: dict[str, str]
    development: tuple[StageFact, ...]
    production: tuple[StageFact, ...]
    findings: tuple[Finding, ...]
    history: History
    rows: tuple[Row, ...]

    def used(self, *technologies: str) -> tuple[Finding, ...]:
        """Findings of those technologies that are really used, not only declared or mentioned."""
        return tuple(found for found in self.findings if found.usage == "used" and found.technology in technologies)

    @property
    def greenfield(self) -> bool:
        """Nothing exists yet: no definition, no version, nothing in use in the code base."""
        return self.system is None and not self.history.versions and not any(f.usage == "used" for f in self.findings)


def gather(subject: System | Plan, workspace: Workspace | None, findings: tuple[Finding, ...]) -> Facts:
    """Collect the facts; nothing is written anywhere.

    Args:
        subject: the definition, or only a plan when no definition exists yet.
        workspace: where the system lives; None before it does.
        findings: what a scan of its code base found.

    Raises:
        DefinitionError: the plan overrides requirements in a way that means nothing.
        RegistryError: the registry cannot be read.
    """
    system = subject if isinstance(subject, System) else None
    plan = subject.plan if isinstance(subject, System) else subject
    sources = system.source_text if system else {}
    places: dict[str, str] = {}
    texts: dict[str, str] = {}
    for name, text in sources.items():
        if name.endswith(".py"):
            places |= definition_places(text, name)
            texts |= definition_texts(text)
    plans = next((name for name in sources if name.endswith((".yaml", ".yml"))), "")
    name = system.name if system else plan.system
    ledger = Ledger(workspace.evidence if workspace else Path("/nonexistent/evidence.jsonl"))
    return Facts(
        name=name,
        plan=plan,
        system=system,
        places=places,
        texts=texts,
        plan_places=plan_places(sources[plans], plans) if plans else {},
        development=tuple(
            StageFact(title=stage.title, contract=stage.contract, place=_place(stage.source)) for stage in DEVELOPMENT
        ),
        production=tuple(
            StageFact(title=title, contract=contract, place=module_place(module))
            for title, module, contract in PRODUCTION
        ),
        findings=findings,
        history=_history(workspace, name),
        rows=checklist(catalog(plan), ledger),
    )


def _place(source: Path) -> str:
    parts = source.with_suffix("").parts
    return module_place(".".join(parts[len(parts) - parts[::-1].index("bluegold") - 1 :]), "CONTRACT")


def _history(workspace: Workspace | None, model: str) -> History:
    if workspace is None or not workspace.database.is_file():
        return History()
    with Registry.open(workspace, actor="design") as registry:
        versions = registry.versions.list(model)[::-1]
        releases = registry.releases.list(model)[::-1]
        return History(
            versions=versions,
            changes=registry.lifecycle.history(model),
            reports={version.ref: _newest(registry.gates.reports(version.ref)) for version in versions},
            releases=releases,
            steps={release.id: registry.releases.steps(release.id) for release in releases},
            approvals={version.ref: registry.approvals.list(version.ref) for version in versions},
            traffic=registry.traffic.history(model),
            measures={version.ref: _measures(registry, version) for version in versions},
            chain=registry.audit.verify(),
            others=tuple(
                (version, _newest(registry.gates.reports(version.ref)))
                for version in registry.versions.list()[::-1]
                if version.model != model
            ),
        )


def _newest(reports: tuple[GateReport, ...]) -> tuple[GateReport, ...]:
    latest = {report.gate: report for report in reports}
    return tuple(latest[gate] for gate in sorted(latest))


def _measures(registry: Registry, version: ModelVersion) -> dict[str, Any]:
    if "verification.json" not in version.artefacts:
        return {}
    found = msgspec.json.decode(registry.versions.artefact(version.ref, "verification.json"))
    return found if isinstance(found, dict) else {}
