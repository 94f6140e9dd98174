"""`bluegold trace`: one id walks from a decision to the data it rests on, and from the data to what came of it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bluegold.cli.identity import acting
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit, workspace_path

if TYPE_CHECKING:
    from bluegold.core.workspace import Workspace
    from bluegold.production.results.records import DecisionRecord
    from bluegold.registry import Registry

__all__ = ["shown", "trace"]

_KINDS = ("code", "data", "environment", "features", "run")


def trace(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A decision, a version (flights:v2), or data:, features:, code:, run: and a digest."
        ),
    ],
    *,
    personal: Annotated[
        bool, typer.Option("--personal", help="Show personal fields; it takes a role that may, and is audited.")
    ] = False,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Walk the whole chain: decision, version, gates, approvals, stages, features, data and run."""
    from bluegold.core.workspace import Workspace
    from bluegold.registry import Registry

    space = Workspace.open(workspace_path(workspace))
    with Registry.open(space, actor=acting(actor, space) if personal else "") as registry:
        if identifier.partition(":")[0] in _KINDS and not registry.versions.list(identifier.partition(":")[0]):
            found = _descendants(registry, identifier)
        else:
            found = _ancestors(registry, space, identifier, personal=personal)
    emit(found, as_json=as_json, text=lambda: _told(found))


def _ancestors(registry: Registry, space: Workspace, identifier: str, *, personal: bool) -> dict[str, Any]:
    """From a decision or a version back to what it was made of."""
    from bluegold.production.results.decision_reader import DecisionReader
    from bluegold.production.results.records import OutcomeRecord

    reader = DecisionReader(space.decisions)
    record = reader.get(identifier)
    if record is None:
        return {"decision": None, **_version(registry, _known(registry, identifier))}
    ref = record.version if ":" in record.version else f"{record.model}:{record.version}"
    found = _version(registry, ref)
    outcomes = [one for one in reader.records() if isinstance(one, OutcomeRecord) and one.id == record.id]
    return {
        "decision": shown(registry, space, record, personal=personal),
        "outcomes": outcomes,
        "features_match": record.features_digest == found["version"].lineage.features,
        "traffic": _split(registry, record),
        **found,
    }


def shown(registry: Registry, space: Workspace, record: DecisionRecord, *, personal: bool) -> DecisionRecord:
    """A decision as whoever asks may see it: with pseudonyms, or on demand with what stands behind them.

    Raises:
        AccessDenied: personal fields are asked for by somebody who may not see them.
    """
    from bluegold.production.veil import disclosed
    from bluegold.security.sealing import KeyRing

    if not personal:
        return disclosed(record, None)
    registry.access.require(registry.actor, "personal")
    registry.audit.append(registry.actor, "see personal data", record.id, "shown")
    return disclosed(record, KeyRing(space.keys))


def _known(registry: Registry, identifier: str) -> str:
    """The version behind an identifier that is no decision.

    Raises:
        UsageError: it is no version either.
    """
    from bluegold.core.errors import UnknownVersion, UsageError

    try:
        return registry.versions.get(identifier).ref
    except UnknownVersion as error:
        raise UsageError(
            f"'{identifier}' is neither a decision nor a version",
            why=error.why,
            way_out="give the id of an answer, or a version like flights:v2",
        ) from error


def _version(registry: Registry, ref: str) -> dict[str, Any]:
    """A version with everything that is known about it; its signature is verified on the way."""
    version = registry.versions.verified(ref)
    history = registry.lifecycle.history(version.model)
    releases = registry.releases.list(version.model)
    return {
        "version": version,
        "signature_verified": True,
        "gates": registry.gates.reports(ref),
        "approvals": registry.approvals.list(ref),
        "changes": tuple(change for change in history if change.ref == version.ref),
        "releases": tuple(release for release in releases if release.ref == version.ref),
        "lineage": registry.lineage.up(version.ref),
    }


def _split(registry: Registry, record: DecisionRecord) -> Any:
    """The traffic split in force when the decision was taken."""
    return next((s for s in registry.traffic.history(record.model) if s.revision == record.revision), None)


def _descendants(registry: Registry, node: str) -> dict[str, Any]:
    from bluegold.core.errors import UsageError

    edges = registry.lineage.down(node)
    if not edges:
        raise UsageError(
            f"nothing in this registry came from '{node}'", way_out="'bluegold trace VERSION' lists digests"
        )
    return {"node": node, "came_of_it": edges}


def _told(found: dict[str, Any]) -> str:
    if "came_of_it" in found:
        return "\n".join([found["node"], *(f"  {e.relation} {e.target}" for e in found["came_of_it"])])
    lines = [*_told_decision(found)] if found["decision"] else []
    version = found["version"]
    lineage = version.lineage
    lines += [
        f"version      {version.ref}  {version.stage}  by {version.author} at {version.created_at:%Y-%m-%d %H:%M:%S}",
        f"  digest     {version.digest}  (signature verified)",
        *(f"gate         {r.gate}: {r.verdict}  {r.reason}" for r in found["gates"]),
        *(f"approval     {a.actor} at {a.at:%Y-%m-%d %H:%M:%S}  {a.comment}" for a in found["approvals"]),
        *(
            f"stage        {c.at:%Y-%m-%d %H:%M:%S}  {c.from_stage or '-'} -> {c.to_stage}  {c.actor}: {c.reason}"
            for c in found["changes"]
        ),
        *(f"release      {r.id}: {r.phase}" for r in found["releases"]),
        f"features     {lineage.features}",
        f"data         {lineage.data}",
        f"code         {lineage.code}",
        f"environment  {lineage.environment}",
        f"seeds        {', '.join(f'{name}={seed}' for name, seed in sorted(lineage.seeds.items()))}",
        f"run          {lineage.run_id or '-'}",
        f"parent       {lineage.parent or '-'}",
    ]
    return "\n".join(lines)


def _told_decision(found: dict[str, Any]) -> list[str]:
    record = found["decision"]
    at = dt.datetime.fromtimestamp(record.at / 1e6, dt.timezone.utc)
    split = found["traffic"]
    lines = [
        f"decision     {record.id} at {at:%Y-%m-%d %H:%M:%S}",
        f"  answer     {record.value} (score {record.score:.6g}) by {record.color}",
        f"  input      {record.input_digest}",
        f"  features   {record.features_digest}"
        + ("" if found["features_match"] else "  NOT the version's feature definition"),
    ]
    lines += [f"  flags      {', '.join(record.flags)}"] if record.flags else []
    lines += [f"  outcome    {one.value}" for one in found["outcomes"]]
    if split is not None:
        lines.append(f"  traffic    revision {split.revision}: {split.mode}, set by {split.set_by}: {split.reason}")
    return lines
