"""The file of the plan: ``architecture.yaml`` read, and held against itself."""

from __future__ import annotations

import re
import zoneinfo
from pathlib import Path

import msgspec

from bluegold.core.errors import DefinitionError
from bluegold.core.plan import Ensemble, Plan, Rollout

__all__ = ["read_plan"]


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
        why = " ".join(str(error).split())
        known = _known_at(why) if "unknown field" in why else ""
        way_out = f"correct that place; it knows {known}" if known else "correct that place"
        raise DefinitionError(f"'{path}' is not a valid plan", why=why, way_out=way_out) from error
    _consistent(plan, path)
    return plan


def _known_at(message: str) -> str:
    """The keys that the plan knows where msgspec found an unknown one: the last part of its message is the path."""
    found = msgspec.inspect.type_info(Plan)
    place = message.rpartition(" - at `$")[2].rstrip("`")
    for key in re.findall(r"\.(\w+)|(\[[^\]]*\])", place):
        if isinstance(found, msgspec.inspect.StructType) and key[0]:
            found = next((field.type for field in found.fields if field.encode_name == key[0]), found)
        elif isinstance(found, msgspec.inspect.DictType):
            found = found.value_type
        elif isinstance(found, msgspec.inspect.VarTupleType | msgspec.inspect.ListType):
            found = found.item_type
    if not isinstance(found, msgspec.inspect.StructType):
        return ""
    return ", ".join(field.encode_name for field in found.fields)


def _consistent(plan: Plan, path: Path) -> None:
    shares = plan.rollout.shares
    if not shares or list(shares) != sorted(set(shares)) or shares[-1] != 1.0:
        raise DefinitionError(
            f"'{path}': rollout.shares {list(shares)} must rise and end at 1.0",
            way_out="for example shares: [0.05, 0.25, 0.5, 1.0]",
        )
    _calendar(plan.rollout, path)
    _experiment(plan, path)
    if ":" in plan.stores.online.partition("://")[2].rpartition("@")[0]:
        raise DefinitionError(
            f"'{path}': the address in stores.online holds a password",
            why="the plan is part of every version and of the document",
            way_out="leave it out here, and give the whole address in BLUEGOLD_KEY_VALUE_URL where it runs",
        )
    _members(plan.ensemble, path)
    if plan.regulated and plan.governance.approval != "human":
        raise DefinitionError(
            f"'{path}': regulated is true but governance.approval is '{plan.governance.approval}'",
            way_out="a regulated system needs governance.approval: human",
        )


def _members(ensemble: Ensemble | None, path: Path) -> None:
    if ensemble is None:
        return
    count, weights = len(ensemble.members), ensemble.weights
    if len(set(ensemble.members)) < count:
        raise DefinitionError(f"'{path}': ensemble.members names a version twice", way_out="name every version once")
    if not isinstance(weights, str) and len(weights) != count:
        raise DefinitionError(
            f"'{path}': ensemble.weights has {len(weights)} numbers for {count} members",
            way_out="give one a member, or weights: equal, or weights: fitted",
        )


def _experiment(plan: Plan, path: Path) -> None:
    experiment = plan.rollout.experiment
    if experiment is None:
        return
    if experiment.least > experiment.most:
        raise DefinitionError(
            f"'{path}': rollout.experiment.least {experiment.least} is more than most {experiment.most}",
            way_out="an experiment is decided between both: give least <= most",
        )
    if plan.regulated and experiment.decides == "promote":
        raise DefinitionError(
            f"'{path}': regulated is true but rollout.experiment.decides is 'promote'",
            way_out="a regulated system lets a person decide: decides: recommend",
        )


def _calendar(rollout: Rollout, path: Path) -> None:
    for zone in {*(window.zone for window in rollout.windows), *(freeze.zone for freeze in rollout.freezes)}:
        try:
            zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            raise DefinitionError(
                f"'{path}': rollout names the time zone '{zone}', which nobody knows",
                way_out="use a name such as Europe/Madrid or UTC",
            ) from error
    for window in rollout.windows:
        first, _, last = window.hours.partition("-")
        if not (first < last <= "24:00"):
            raise DefinitionError(
                f"'{path}': rollout window '{window.hours}' does not end after it begins",
                way_out='for example hours: "09:00-17:00"; write two windows for a night',
            )
    for freeze in rollout.freezes:
        if freeze.until < freeze.since:
            raise DefinitionError(
                f"'{path}': the freeze '{freeze.reason}' ends before it begins", way_out="put since before until"
            )
