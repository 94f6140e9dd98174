"""The plan: ``architecture.yaml`` as typed data — what was decided about a system, and why."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

import msgspec

__all__ = [
    "Batch",
    "Ensemble",
    "ExperimentPlan",
    "Fairness",
    "Freeze",
    "Governance",
    "Guardrail",
    "Guardrails",
    "Hold",
    "Override",
    "Plan",
    "Point",
    "Regression",
    "Retention",
    "Retraining",
    "Rollout",
    "Security",
    "Stores",
    "Weekday",
    "Window",
]

Share = Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]
Part = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Seconds = Annotated[float, msgspec.Meta(ge=0.0)]
Point = Literal["canary", "shift", "promotion"]
Guardrail = Literal[
    "quality", "errors", "agreement", "slow", "slice", "calibration", "prediction_shift", "attribution_shift"
]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Plain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the plan's parts: an unknown key is an error, never ignored."""


class Stores(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which store serves which workload (a kind or a URL).

    ``online``: where online features are kept, ``lmdb`` inside the workspace or ``redis://host:port/db``, which several
    machines share.  The plan is part of every version, so an address in it must hold no password.
    """

    relational: str = "sqlite"
    object: str = "files"
    key_value: str = "lmdb"
    graph: str = "relational"
    vector: str = "none"
    online: str = ""


class Batch(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How files are scored.

    ``rows``: whether rows of a file are events for the rows after them, as in training, or only questions.
    ``silence_h``: hours without a row after which the next one is flagged; 0 to flag none.
    """

    rows: Literal["events", "questions"] = "events"
    silence_h: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0


class Guardrails(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits that a canary is held against.

    ``quality_loss``: the largest tolerated loss of correctness against Blue, as a share of requests.
    ``error_rate``: the largest tolerated share of failed answers.
    ``agreement``: the smallest tolerated share of decisions on which Blue and Gold agree.
    ``latency_ms``: a slower answer counts against ``slow_rate``.
    ``calibration``: the largest tolerated mean of outcome minus score, where Blue's is smaller.
    ``prediction_shift``: the largest tolerated difference of the shares of positive answers.
    ``attribution_shift``: the largest tolerated change of a feature's share of the attributions, Gold against Blue on
    the same requests; 1 switches it off.
    ``pause_on``: guardrails that pause the release for a person when they break; the others take it back.
    """

    quality_loss: Part = 0.01
    error_rate: Part = 0.01
    agreement: Part = 0.90
    latency_ms: Annotated[float, msgspec.Meta(gt=0.0)] = 50.0
    slow_rate: Part = 0.05
    calibration: Part = 0.10
    prediction_shift: Part = 0.10
    attribution_shift: Part = 0.25
    pause_on: tuple[Guardrail, ...] = ("calibration", "prediction_shift", "attribution_shift")


class Window(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a release may advance: days of the week, hours ``"09:00-17:00"``, and the time zone they are meant in."""

    days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    hours: Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-4]):[0-5]\d-([01]\d|2[0-4]):[0-5]\d$")] = "00:00-24:00"
    zone: str = "UTC"


class Freeze(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A period, both days included, in which no release advances; going back is always allowed."""

    since: dt.date
    until: dt.date
    reason: str
    zone: str = "UTC"


class ExperimentPlan(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A champion-challenger experiment: the canary becomes one, and ends when it is decided.

    ``share``: of the users, who are answered by Gold.  ``metric``: how often answers were ``correct``, or how often the
    ``outcome`` was positive; ``better``: whether more or fewer positive outcomes are wanted.  ``alpha``: the chance of
    ever calling a difference that is none.  ``least`` and ``most``: outcomes of both groups before anything is
    decided, and after which nothing more is expected.  ``days``: the same as time.  ``decides``: a winner goes on to
    the shift by itself, or is recommended to a person.  ``undecided``: what becomes of a release without a winner.
    """

    share: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.5
    metric: Literal["correct", "outcome"] = "correct"
    better: Literal["more", "fewer"] = "more"
    alpha: Annotated[float, msgspec.Meta(gt=0.0, lt=0.5)] = 0.05
    least: Annotated[int, msgspec.Meta(ge=1)] = 500
    most: Annotated[int, msgspec.Meta(ge=1)] = 20_000
    days: Annotated[float, msgspec.Meta(gt=0.0)] = 14.0
    decides: Literal["promote", "recommend"] = "recommend"
    undecided: Literal["pause", "rollback", "go_on"] = "pause"


class Rollout(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a candidate becomes production.

    ``lease_s``: how long a controller may show no life before the workers go back to Blue alone.
    ``bake_s``: how long Gold answers everybody before it is promoted (at least ``hold_s``).
    ``approve_before``: steps that wait for a person (``bluegold promote VERSION --past STEP``).
    ``windows``: when a release may advance; none means always.  ``freezes``: when it may not.
    ``goal``: what must be certain before promotion: nothing, that Gold is not worse than the tolerated loss, or
    that it is better than Blue.
    ``level``: what a release may change: ``pipeline``, features and model together; or ``model``, a new model on the
    feature program of the version in production, whose vocabularies it keeps.
    ``experiment``: what the canary is to find out about users, with its own share.
    """

    shadow_s: Seconds = 5.0
    canary: Share = 0.05
    shares: tuple[Share, ...] = (0.05, 0.25, 0.5, 1.0)
    hold_s: Seconds = 5.0
    min_requests: Annotated[int, msgspec.Meta(ge=1)] = 300
    max_wait_s: Seconds = 600.0
    alpha: Annotated[float, msgspec.Meta(gt=0.0, lt=0.5)] = 0.01
    sticky_by: str = ""
    lease_s: Annotated[float, msgspec.Meta(ge=1.0)] = 10.0
    bake_s: Seconds = 0.0
    approve_before: tuple[Point, ...] = ()
    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    goal: Literal["none", "not_worse", "better"] = "none"
    level: Literal["pipeline", "model"] = "pipeline"
    experiment: ExperimentPlan | None = None
    guardrails: Guardrails = Guardrails()


class Fairness(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fairness is judged; ``thresholds_by`` makes per-group thresholds an explicit, governed choice."""

    criterion: Literal["equal_opportunity", "equalised_odds", "accuracy_parity"] = "equal_opportunity"
    thresholds_by: str = ""
    min_group: int = 100


class Regression(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What gate 1 asks of a predicted number, in place of accuracy and area under the curve.

    ``skill``: the least share of the naive answer's mean absolute error that the model must save (the naive answer
    is the hold-out's own median; 0.1 saves a tenth).  ``r2``: the least share of variance explained.  ``coverage``:
    the largest tolerated distance between the share of outcomes inside the 80 % interval and 0.8.
    """

    skill: float = 0.1
    r2: float = 0.1
    coverage: float = 0.1


class Security(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where known vulnerabilities come from.

    ``advisories``: a JSON file or a folder of them, relative to the workspace; empty: ``advisories.json`` in it, if
    it is there.  ``without_advisories``: what gate 5 does when there is no source: say so, or hold.
    ``query_budget``: different queries a caller and day beyond which an alert is raised; 0 for none.
    ``chain_guard``: what a worker does with a caller whose queries circle around one record near the boundary between
    two answers, as attacks do: nothing, or refuse further ones for a while (429).
    """

    advisories: str = ""
    without_advisories: Literal["say", "hold"] = "say"
    query_budget: Annotated[int, msgspec.Meta(ge=0)] = 0
    chain_guard: Literal["off", "refuse"] = "off"


class Retraining(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When ``bluegold retrain`` develops a new candidate; it never goes past the gates by itself.  0 is never.

    ``every_days``: days since the newest version was registered.  ``labels``: outcomes that came in since then.
    ``drift_psi``: population stability index of any feature in the latest live decisions, against production's
    profile and beyond that feature's own placebo.
    """

    every_days: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0
    labels: Annotated[int, msgspec.Meta(ge=0)] = 0
    drift_psi: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0


class Governance(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may promote: ``automatic``, or ``human`` with that many approvals by others than the author.

    ``of_roles``: only approvals by people with one of these roles count; none means any role that may approve.
    ``every_role``: each of these roles must be among them.
    ``valid_for``: how long an approval counts (``90m``, ``12h``, ``30d``); empty means for ever.
    """

    approval: Literal["automatic", "human"] = "automatic"
    approvals: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1
    of_roles: tuple[Literal["compliance officer", "security officer", "validator"], ...] = ()
    every_role: bool = False
    valid_for: Annotated[str, msgspec.Meta(pattern=r"^(\d{1,5}[mhd])?$")] = ""


class Override(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A requirement tightened or replaced, with the reason."""

    reason: Annotated[str, msgspec.Meta(min_length=1)]
    threshold: float | None = None
    objective: float | None = None


class Hold(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A legal hold: what was decided in these days (of ``model``, or of all) is neither moved nor deleted."""

    since: dt.date
    until: dt.date | None = None
    model: str = ""
    reason: str


Days = Annotated[int, msgspec.Meta(ge=0)]


class Retention(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long decisions and results stay where; ages in days, 0 for ever.

    ``hot_days``: how long finished pieces of the decision log stay in the workspace.  ``warm_days``: how long results
    stay queryable there.  ``cold_days``: how long the archive keeps them.  ``archive``: its folder, below the workspace
    or absolute.  ``holds``: what stays whatever its age.  Everything is archived, verified, before it leaves a tier.
    """

    hot_days: Days = 0
    warm_days: Days = 0
    cold_days: Days = 0
    archive: str = "archive"
    holds: tuple[Hold, ...] = ()


class Workload(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Facts about the work, as far as somebody knows them; the rules of a design weigh them.

    ``latency_ms``: the longest time an answer may take.  ``freshness_s``: how old a batch answer may be.
    ``teams``: teams that own stages.  ``models``: models that share features.  ``chained``: a model reads what another
    writes.  ``label_delay_hours``: until an outcome is known.  ``data_gb``: data that one training run reads.
    """

    latency_ms: Annotated[float, msgspec.Meta(gt=0)] | None = None
    freshness_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    requests_per_second: Annotated[float, msgspec.Meta(ge=0)] | None = None
    data_gb: Annotated[float, msgspec.Meta(ge=0)] | None = None
    teams: Annotated[int, msgspec.Meta(ge=1)] | None = None
    models: Annotated[int, msgspec.Meta(ge=1)] | None = None
    label_delay_hours: Annotated[float, msgspec.Meta(ge=0)] | None = None
    chained: bool | None = None
    offline_scoring: bool | None = None


class Ensemble(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Registered versions that answer as one: their weighted mean becomes a version of its own.

    ``members``: versions developed from the same rows and features.  ``weights``: ``equal``, ``fitted`` on the
    validation rows, or one number a member.
    """

    members: Annotated[tuple[str, ...], msgspec.Meta(min_length=2, max_length=16)]
    weights: Literal["equal", "fitted"] | tuple[Annotated[float, msgspec.Meta(gt=0)], ...] = "equal"
    reason: str = ""


class Plan(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything ``architecture.yaml`` may say.  ``why`` maps a decision to its reason, ``decisions`` to its answer."""

    system: str
    domain: str = "general"
    risk: Literal["low", "medium", "high"] = "medium"
    regulated: bool = False
    topology: Literal["batch", "streaming", "hybrid"] = "hybrid"
    latency_need: str = ""
    workload: Workload = Workload()
    decisions: dict[str, str] = {}
    stores: Stores = Stores()
    batch: Batch = Batch()
    rollout: Rollout = Rollout()
    fairness: Fairness = Fairness()
    security: Security = Security()
    retraining: Retraining = Retraining()
    governance: Governance = Governance()
    regression: Regression = Regression()
    ensemble: Ensemble | None = None
    retention: Retention = Retention()
    requirements: dict[str, Override] = {}
    why: dict[str, str] = {}
