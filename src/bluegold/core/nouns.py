"""The nouns of the method: immutable, keyword-only records that every room exchanges."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import msgspec

__all__ = [
    "Approval",
    "Architecture",
    "AuditEvent",
    "Color",
    "Decision",
    "Evidence",
    "Finding",
    "GateReport",
    "Lineage",
    "Measure",
    "ModelVersion",
    "Noun",
    "Port",
    "Prediction",
    "Request",
    "Requirement",
    "Review",
    "Section",
    "Stage",
    "StageChange",
    "StageContract",
    "StageRun",
    "TrafficMode",
    "TrafficSplit",
    "Verdict",
    "now",
]

Section = Literal["S1", "S2", "S3", "S4", "S5", "S6"]
Stage = Literal["Registered", "Staging", "Canary", "Production", "Archived", "Refused", "RolledBack"]
Color = Literal["blue", "gold"]
Verdict = Literal["pass", "fail", "hold"]
TrafficMode = Literal["off", "rehearsal", "shadow", "canary", "shift"]


def now() -> dt.datetime:
    """The present moment in UTC.

    Example:
        >>> now().tzinfo is dt.timezone.utc
        True
    """
    return dt.datetime.now(dt.timezone.utc)


class Noun(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the nouns: frozen, keyword-only, JSON in and out through msgspec."""


class Port(Noun, frozen=True, kw_only=True):
    """One named input or output of a stage.

    ``kind`` says what travels through it; ``fields`` are (column, type) pairs of a table port.
    """

    name: str
    kind: Literal["table", "json", "model", "report", "figure"] = "table"
    description: str = ""
    fields: tuple[tuple[str, str], ...] = ()


class StageContract(Noun, frozen=True, kw_only=True):
    """What a pipeline stage promises: ports, gate, owner, failure answer, limits."""

    name: str
    section: Section
    purpose: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    gate: str
    owner: str = "ML engineering"
    on_failure: str = "the run stops here, keeps every finished artefact and can be resumed"
    requirements: tuple[str, ...] = ()
    timeout_s: float = 600.0
    retries: int = 0


class StageRun(Noun, frozen=True, kw_only=True):
    """One execution (or reuse) of a stage.  ``inputs`` and ``outputs`` map port -> sha256 digest."""

    stage: str
    run_id: str
    outcome: Literal["done", "reused", "failed"]
    inputs: dict[str, str]
    outputs: dict[str, str]
    started_at: dt.datetime
    seconds: float
    error: str = ""


class Finding(Noun, frozen=True, kw_only=True):
    """One technology seen in a code base, with the place that shows it.

    ``scope`` says whose code shows it: the system's own, or tests, examples, vendored copies, which
    never count as used by the system.  ``detail`` is what was seen there, without secrets.
    """

    kind: str
    technology: str
    section: Section
    usage: Literal["used", "declared", "mentioned"]
    path: str
    line: int
    evidence: Literal["import", "call", "configuration", "deployment", "dependency", "prose"]
    confidence: float
    detector: str
    scope: Literal["main", "test", "example", "vendored"] = "main"
    detail: str = ""


class Decision(Noun, frozen=True, kw_only=True):
    """One architectural decision with its trade-off and where it came from."""

    question: str
    choice: str
    options: tuple[str, ...]
    because: str
    enables: str
    constrains: str
    source: Literal["explicit", "detected", "default"]
    section: Section = "S2"


class Architecture(Noun, frozen=True, kw_only=True):
    """The design of one system as the document shows it."""

    name: str
    commit: str
    findings: tuple[Finding, ...]
    decisions: tuple[Decision, ...]
    sections: tuple[str, ...]
    generated_at: dt.datetime | None = None


class Lineage(Noun, frozen=True, kw_only=True):
    """What makes a version reproducible: data, code, features, parameters, environment, seeds, parent."""

    code: str
    data: str
    features: str
    parameters: dict[str, Any]
    environment: str
    seeds: dict[str, int]
    parent: str = ""
    run_id: str = ""


class ModelVersion(Noun, frozen=True, kw_only=True):
    """One registered version.  ``artefacts`` maps a file name to the sha256 of its content;
    ``digest`` is the sha256 over that map and the lineage, ``signature`` signs the digest."""

    model: str
    version: str
    stage: Stage
    digest: str
    artefacts: dict[str, str]
    lineage: Lineage
    metrics: dict[str, float]
    author: str
    created_at: dt.datetime
    signature: str

    @property
    def ref(self) -> str:
        """The full name, for example ``flight-delays:v2``."""
        return f"{self.model}:{self.version}"


class StageChange(Noun, frozen=True, kw_only=True):
    """One past change of a version's stage: who, when, why, on what evidence."""

    ref: str
    from_stage: Stage | None
    to_stage: Stage
    actor: str
    reason: str
    evidence: tuple[str, ...]
    at: dt.datetime


class Approval(Noun, frozen=True, kw_only=True):
    """A person's consent to one version, bound to its digest; ``roles`` is what the person was when consenting."""

    ref: str
    digest: str
    actor: str
    comment: str
    at: dt.datetime
    roles: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


class Review(Noun, frozen=True, kw_only=True):
    """What a person said about one version, bound to its digest: a comment, or a refusal that stops its promotion."""

    ref: str
    digest: str
    actor: str
    says: Literal["comment", "reject"]
    comment: str
    at: dt.datetime
    roles: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


class Request(Noun, frozen=True, kw_only=True):
    """One prediction request as it entered the system."""

    id: str
    received_at: dt.datetime
    caller: str
    entity: str
    payload: dict[str, Any]
    deadline_ms: float | None = None


class Prediction(Noun, frozen=True, kw_only=True):
    """One answer.  ``score`` is the model's probability, ``value`` the decision taken on it."""

    request_id: str
    color: Color
    version: str
    value: bool | float | str
    score: float
    latency_ms: float
    at: dt.datetime
    flags: tuple[str, ...] = ()
    attributions: dict[str, float] | None = None


class TrafficSplit(Noun, frozen=True, kw_only=True):
    """Who answers.  ``gold_share`` is the share of requests, 0 to 1, that Gold answers."""

    model: str
    revision: int
    blue: str
    gold: str = ""
    gold_share: float = 0.0
    mode: TrafficMode = "off"
    sticky_by: str = ""
    set_by: str = ""
    reason: str = ""
    at: dt.datetime | None = None


class Measure(Noun, frozen=True, kw_only=True):
    """One measured value against its limit."""

    name: str
    value: float | None
    limit: float | None
    direction: Literal[">=", "<="] = ">="
    unit: str = ""
    baseline: float | None = None
    n: int = 0
    verdict: Verdict = "hold"
    note: str = ""


class GateReport(Noun, frozen=True, kw_only=True):
    """What one gate said about one candidate."""

    gate: str
    candidate: str
    verdict: Verdict
    measures: tuple[Measure, ...]
    reason: str
    seconds: float
    at: dt.datetime


class Requirement(Noun, frozen=True, kw_only=True):
    """One row of the requirement catalogue, with this system's threshold and objective.

    ``direction`` is ``<=`` or ``>=`` for numbers and ``holds`` for requirements that are attacked.
    """

    id: str
    title: str
    unit: str
    direction: Literal["<=", ">=", "holds"]
    threshold: float | None
    objective: float | None
    section: Section
    component: str
    gate: str
    method: str = ""
    reason: str = ""


class Evidence(Noun, frozen=True, kw_only=True):
    """One measurement of one requirement on the running system; ``actor`` is who had it taken."""

    requirement: str
    value: float | bool | None
    verdict: Literal["objective", "threshold", "missed", "needs instrumentation", "not applicable"]
    unit: str
    samples: int
    machine: str
    version: str
    artefact: str
    method: str
    at: dt.datetime
    actor: str = ""


class AuditEvent(Noun, frozen=True, kw_only=True):
    """One link of the hash chain: who did what to which subject, with which outcome."""

    number: int
    who: str
    action: str
    subject: str
    outcome: str
    details: dict[str, Any]
    at: dt.datetime
    previous: str
    digest: str
