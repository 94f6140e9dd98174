"""The plan: ``architecture.yaml`` as typed data — what was decided about a system, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from bluegold.core.errors import DefinitionError

__all__ = ["Fairness", "Governance", "Guardrails", "Override", "Plan", "Rollout", "Stores", "read_plan"]

Share = Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]


class Plain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the plan's parts: an unknown key is an error, never ignored."""


class Stores(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which store serves which workload (a kind or a URL)."""

    relational: str = "sqlite"
    object: str = "files"
    key_value: str = "lmdb"
    graph: str = "relational"
    vector: str = "none"


class Guardrails(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits that a canary is held against.

    ``quality_loss``: the largest tolerated loss of correctness against Blue, as a share of requests.
    ``error_rate``: the largest tolerated share of failed answers.
    ``agreement``: the smallest tolerated share of decisions on which Blue and Gold agree.
    ``latency_ms``: a slower answer counts against ``slow_rate``.
    """

    quality_loss: float = 0.01
    error_rate: float = 0.01
    agreement: float = 0.90
    latency_ms: float = 50.0
    slow_rate: float = 0.05


class Rollout(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a candidate becomes production."""

    shadow_s: float = 5.0
    canary: Share = 0.05
    shares: tuple[Share, ...] = (0.05, 0.25, 0.5, 1.0)
    hold_s: float = 5.0
    min_requests: int = 300
    max_wait_s: float = 600.0
    alpha: Annotated[float, msgspec.Meta(gt=0.0, lt=0.5)] = 0.01
    sticky_by: str = ""
    guardrails: Guardrails = Guardrails()


class Fairness(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fairness is judged; ``thresholds_by`` makes per-group thresholds an explicit, governed choice."""

    criterion: Literal["equal_opportunity", "equalised_odds", "accuracy_parity"] = "equal_opportunity"
    thresholds_by: str = ""
    min_group: int = 100


class Governance(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may promote: ``automatic``, or ``human`` with that many approvals by others than the author."""

    approval: Literal["automatic", "human"] = "automatic"
    approvals: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1


class Override(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A requirement tightened or replaced, with the reason."""

    reason: str
    threshold: float | None = None
    objective: float | None = None


class Plan(Plain, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything ``architecture.yaml`` may say.  ``why`` maps a decision to its reason."""

    system: str
    domain: str = "general"
    risk: Literal["low", "medium", "high"] = "medium"
    regulated: bool = False
    topology: Literal["batch", "streaming", "hybrid"] = "hybrid"
    latency_need: str = ""
    stores: Stores = Stores()
    rollout: Rollout = Rollout()
    fairness: Fairness = Fairness()
    governance: Governance = Governance()
    requirements: dict[str, Override] = {}
    why: dict[str, str] = {}


def read_plan(path: Path) -> Plan:
    """Read ``architecture.yaml``.

    Args:
        path: the file.

    Raises:
        DefinitionError: the file is missing, no YAML, or says something the plan has no place for;
            the message names the place.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(
            f"'{path}' cannot be read", why=str(error), way_out="write an architecture.yaml beside pipeline.py"
        ) from error
    try:
        plan = msgspec.convert(yaml.safe_load(text) or {}, Plan, strict=False)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise DefinitionError(
            f"'{path}' is not a valid plan", why=" ".join(str(error).split()), way_out="correct that place"
        ) from error
    _consistent(plan, path)
    return plan


def _consistent(plan: Plan, path: Path) -> None:
    shares = plan.rollout.shares
    if not shares or list(shares) != sorted(set(shares)) or shares[-1] != 1.0:
        raise DefinitionError(
            f"'{path}': rollout.shares {list(shares)} must rise and end at 1.0",
            way_out="for example shares: [0.05, 0.25, 0.5, 1.0]",
        )
    if plan.regulated and plan.governance.approval != "human":
        raise DefinitionError(
            f"'{path}': regulated is true but governance.approval is '{plan.governance.approval}'",
            way_out="a regulated system needs governance.approval: human",
        )
