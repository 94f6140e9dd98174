"""What the console shows, read from the workspace at the moment of looking."""

from __future__ import annotations

import datetime as dt
import re

import msgspec

from bluegold.core.errors import BluegoldError, UsageError
from bluegold.core.nouns import GateReport, ModelVersion, StageChange, TrafficSplit, now
from bluegold.core.plan import Plan
from bluegold.core.workspace import Workspace
from bluegold.production.operations.board import Board
from bluegold.production.operations.health import Health, health
from bluegold.production.operations.supervisor import running
from bluegold.registry.registry import Registry
from bluegold.registry.tables import Release
from bluegold.requirements.catalog import catalog, category
from bluegold.requirements.checklist import Row, checklist, totals
from bluegold.requirements.ledger import Ledger

__all__ = ["GATES", "PHASES", "GateLine", "Page", "look"]

GATES = ("model", "feature", "data quality", "performance", "security", "regression")
"""The six gates in their order, as the page heads its columns."""

PHASES = ("gates", "rehearsal", "shadow", "canary", "shift", "promoted")
"""The steps of a release that goes well."""

SHOWN = 12


class GateLine(msgspec.Struct, frozen=True):
    """One version with what each of the six gates said last (None: it was not asked)."""

    version: ModelVersion
    reports: tuple[GateReport | None, ...]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the page.  Lists are bounded; the newest comes first."""

    model: str
    models: tuple[str, ...]
    at: dt.datetime
    url: str
    health: Health | None
    split: TrafficSplit | None
    blue: ModelVersion | None
    gold: ModelVersion | None
    since: StageChange | None
    release: Release | None
    gates: tuple[GateLine, ...]
    history: tuple[StageChange, ...]
    requirements: dict[str, tuple[Row, ...]]
    totals: dict[str, int]


def look(workspace: Workspace, model: str = "") -> Page:
    """Read one model's page.

    Args:
        workspace: whose page.
        model: which model, the first when empty.

    Raises:
        UsageError: there is no such model.
        BluegoldError: the registry cannot be read.
    """
    with Registry.open(workspace) as registry:
        versions = registry.versions.list(limit=1000)
        models = tuple(sorted({version.model for version in versions}))
        if model and model not in models:
            raise UsageError(f"there is no model '{model[:100]}'", way_out="go back to the first page")
        model = model or next(iter(models), "")
        split = registry.traffic.current(model) if model else None
        releases = [one for one in registry.releases.list() if one.ref.startswith(f"{model}:")]
        mine = sorted((one for one in versions if one.model == model), key=lambda one: one.created_at, reverse=True)
        by_ref = {one.ref: one for one in mine}
        rows = checklist(catalog(_plan(registry, split)), Ledger(workspace.evidence))
        url, found = _server(workspace, registry, model)
        return Page(
            model=model,
            models=models,
            at=now(),
            url=url,
            health=found,
            split=split,
            blue=by_ref.get(split.blue) if split else None,
            gold=by_ref.get(split.gold) if split else None,
            since=registry.lifecycle.production(model) if model else None,
            release=max(releases, key=lambda one: one.updated_at, default=None),
            gates=tuple(_gate_line(registry, one) for one in mine[:SHOWN]),
            history=tuple(reversed(registry.lifecycle.history(model)))[:SHOWN] if model else (),
            requirements={
                name: tuple(row for row in rows if category(row.requirement.id) == name)
                for name in ("AP", "NF", "SEC", "CP")
            },
            totals={str(name): count for name, count in totals(rows).items()},
        )


def _gate_line(registry: Registry, version: ModelVersion) -> GateLine:
    """The last word of each gate; gates are known by the number in their name."""
    latest: dict[int, GateReport] = {}
    for report in registry.gates.reports(version.ref):
        number = re.search(r"\d+", report.gate)
        if number:
            latest[int(number.group())] = report
    return GateLine(version, tuple(latest.get(number) for number in range(1, len(GATES) + 1)))


def _plan(registry: Registry, split: TrafficSplit | None) -> Plan | None:
    """The plan that the version in production was made under: it may have changed the thresholds."""
    if split is None:
        return None
    try:
        return msgspec.json.decode(registry.versions.artefact(split.blue, "plan.json"), type=Plan)
    except (BluegoldError, msgspec.DecodeError):
        return None


def _server(workspace: Workspace, registry: Registry, model: str) -> tuple[str, Health | None]:
    endpoint = running(workspace)
    if endpoint is None or endpoint.model != model:
        return "", None
    try:
        board = Board(workspace.run / "board")
    except BluegoldError:
        return "", None
    found = health(board, registry, model)
    board.close()
    return endpoint.url, found
