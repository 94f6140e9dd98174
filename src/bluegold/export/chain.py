"""The chain behind a decision or a version, back to its rows; and what came of data, features, code or a run."""

from __future__ import annotations

from typing import Any

from bluegold.core.errors import UnknownVersion, UsageError
from bluegold.core.workspace import Workspace
from bluegold.export.tracing import behind
from bluegold.production.results.decision_reader import DecisionReader
from bluegold.production.results.records import DecisionRecord
from bluegold.production.results.tally import outcomes_of, tally
from bluegold.production.veil import disclosed
from bluegold.registry import Registry
from bluegold.security.sealing import KeyRing
from bluegold.stores.protocols import Edge

__all__ = ["ancestors", "descendants", "names_source", "shown"]

_KINDS = ("code", "data", "environment", "features", "release", "rows", "run", "table")


def names_source(registry: Registry, identifier: str) -> bool:
    """Whether an identifier is that of data, features, code or a run, and not of a version of a model of that name."""
    kind, mark, _ = identifier.partition(":")
    return bool(mark) and kind in _KINDS and not registry.versions.list(kind, limit=1)


def ancestors(
    registry: Registry, workspace: Workspace, identifier: str, *, personal: bool = False, limit: int = 10
) -> dict[str, Any]:
    """From a decision or a version back to what it was made of.

    Args:
        registry: where the version is.
        workspace: the registry's workspace.
        identifier: a decision's id, or a version.
        personal: show personal fields to whoever may see them; that is audited.
        limit: how many source rows of a kind, and how many decisions of the version, are shown.

    Raises:
        UsageError: it is neither.
        AccessDenied: personal fields are asked for by somebody who may not see them.
    """
    record = DecisionReader(workspace.decisions).get(identifier)
    if record is None:
        ref = _known(registry, identifier)
        answered, _ = tally(workspace, [ref], latest=limit)
        return {"decision": None, **_version(registry, workspace, ref, None, limit), "answered": answered[ref]}
    ref = record.version if ":" in record.version else f"{record.model}:{record.version}"
    found = _version(registry, workspace, ref, record.payload, limit)
    outcomes, unread = outcomes_of(workspace, record.id)
    return {
        "decision": shown(registry, workspace, record, personal=personal),
        "outcomes": outcomes,
        "unread": unread,
        "features_match": record.features_digest == found["version"].lineage.features,
        "traffic": next((s for s in registry.traffic.history(record.model) if s.revision == record.revision), None),
        **found,
    }


def descendants(registry: Registry, node: str) -> tuple[Edge, ...]:
    """What came of data, rows, features, code or a run.

    Raises:
        UsageError: nothing did.
    """
    edges = registry.lineage.down(node)
    if not edges:
        raise UsageError(
            f"nothing in this registry came from '{node}'", way_out="'bluegold trace VERSION' lists digests"
        )
    return edges


def shown(registry: Registry, workspace: Workspace, record: DecisionRecord, *, personal: bool) -> DecisionRecord:
    """A decision as whoever asks may see it: with pseudonyms, or on demand with what stands behind them.

    Raises:
        AccessDenied: personal fields are asked for by somebody who may not see them.
    """
    if not personal:
        return disclosed(record, None)
    registry.access.require(registry.actor, "personal")
    registry.audit.append(registry.actor, "see personal data", record.id, "shown")
    return disclosed(record, KeyRing(workspace.keys))


def _known(registry: Registry, identifier: str) -> str:
    try:
        return registry.versions.get(identifier).ref
    except UnknownVersion as error:
        raise UsageError(
            f"'{identifier}' is neither a decision nor a version",
            why=error.why,
            way_out="give the id of an answer, or a version like flights:v2",
        ) from error


def _version(registry: Registry, workspace: Workspace, ref: str, payload: Any, limit: int) -> dict[str, Any]:
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
        "rows": behind(registry, workspace, version, payload, limit),
    }
