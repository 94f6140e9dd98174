"""Facts: everything a document may say about one system, gathered once from definition, tables, registry and ledger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
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
from bluegold.design.scan.summary import shows_machine_learning
from bluegold.design.stated import SCALARS, stated
from bluegold.design.understand import AsIs
from bluegold.development.pipeline import STAGES as DEVELOPMENT
from bluegold.features.system import System
from bluegold.production.contracts import STAGES as PRODUCTION
from bluegold.registry.registry import Registry
from bluegold.registry.tables import Release
from bluegold.registry.verification import ChainReport
from bluegold.requirements.catalog import catalog
from bluegold.requirements.checklist import Row, checklist
from bluegold.requirements.ledger import Ledger

__all__ = ["Facts", "History", "StageFact", "gather", "learns"]


_LEARNING = ("train", "tune", "evaluate", "track", "register", "score")


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
    as_is: AsIs | None = None

    def used(self, *technologies: str) -> tuple[Finding, ...]:
        """Findings of those technologies that are really used, not only declared or mentioned."""
        return tuple(found for found in self.findings if found.usage == "used" and found.technology in technologies)

    @property
    def greenfield(self) -> bool:
        """Nothing exists yet: no definition, no version, no code base that has to do with models."""
        return self.system is None and not self.history.versions and not learns(self.findings, self.as_is)


def learns(findings: tuple[Finding, ...], as_is: AsIs | None) -> bool:
    """Whether a code base has to do with models: a library in use, or code that trains, scores or registers."""
    used = tuple(one for one in findings if one.usage == "used")
    return shows_machine_learning(used) or (as_is is not None and as_is.does(*_LEARNING))


def gather(
    subject: System | Plan,
    workspace: Workspace | None,
    findings: tuple[Finding, ...],
    *,
    as_is: AsIs | None = None,
    plan_text: str = "",
    given: Mapping[str, Any] = MappingProxyType({}),
) -> Facts:
    """Collect the facts; nothing is written anywhere.

    Args:
        subject: the definition, or only a plan when no definition exists yet.
        workspace: where the system lives; None before it does.
        findings: what a scan of its code base found.
        as_is: what its code does today.
        plan_text: the text of ``architecture.yaml`` where there is no definition, for the places of its statements.
        given: facts stated elsewhere, which go before those of the plan.

    Raises:
        DefinitionError: the plan overrides requirements in a way that means nothing.
        RegistryError: the registry cannot be read.
    """
    system = subject if isinstance(subject, System) else None
    plan = stated(subject.plan if isinstance(subject, System) else subject, given)
    sources = system.source_text if system else {}
    modules = {name: text for name, text in sources.items() if name.endswith(".py")}
    plans = next((name for name in sources if name.endswith((".yaml", ".yml"))), "")
    name = system.name if system else plan.system
    ledger = Ledger(workspace.evidence if workspace else Path("/nonexistent/evidence.jsonl"))
    return Facts(
        name=name,
        plan=plan,
        system=system,
        places={key: place for path, text in modules.items() for key, place in definition_places(text, path).items()},
        texts={key: said for text in modules.values() for key, said in definition_texts(text).items()},
        plan_places=_plan_places(sources[plans] if plans else plan_text, plans or "architecture.yaml", given),
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
        as_is=as_is,
    )


def _plan_places(text: str, path: str, given: Mapping[str, Any]) -> dict[str, str]:
    places = plan_places(text, path) if text else {}
    for name in given:
        if name != "decisions":
            places[name if name in SCALARS else f"workload.{name}"] = f"command line: {name}"
    for name in given.get("decisions", {}):
        places[f"decisions.{name}"] = f"command line: {name}"
    return places


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
