"""The table of risks: rows say what hurts and why; a few detectors find what a row alone cannot."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable
from fnmatch import translate
from importlib.resources import files
from typing import Literal

import msgspec

from bluegold.core.nouns import Section
from bluegold.design.scan.summary import shows_machine_learning
from bluegold.design.understand.activities import Place
from bluegold.design.understand.risks import duplication, environment, notebooks, secrets, seeds
from bluegold.design.understand.risks.view import View

__all__ = ["Risk", "RiskRow", "find_risks", "risk_rows"]


class RiskRow(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of risk: when it is one, why it hurts, what the to-be architecture answers."""

    id: str
    title: str
    section: Section
    severity: Literal["high", "medium", "low"]
    why: str
    answer: str
    needs: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    only_with: dict[str, str] = {}


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """One risk of a system as it is, with the places that show it."""

    row: RiskRow
    places: tuple[Place, ...]


_DETECTORS: dict[str, Callable[[View], tuple[Place, ...]]] = {
    "training-serving-duplication": duplication.find,
    "secrets": secrets.find,
    "unpinned-environment": environment.find,
    "no-seed": seeds.find,
    "notebook-production": notebooks.find,
}
#: calls, settings and tools by which a version can be taken back
_ROLLBACK = re.compile(
    r".*\b(rollback|roll_back|rollout_undo|set_registered_model_alias|transition_model_version_stage)$"
)
_MODEL = re.compile(
    r"(?m)^[ \t]{0,40}(?:async )?def _{0,2}(?:predict|recommend|forecast|classif|infer)|\.predict(?:_proba)?\("
)
_ROLLBACK_TOOLS = frozenset({"argo-rollouts", "flagger", "kserve", "seldon", "spinnaker", "argocd", "bluegold"})


@functools.cache
def risk_rows() -> tuple[RiskRow, ...]:
    """The table."""
    text = files("bluegold.design.understand").joinpath("risks.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["risk"], tuple[RiskRow, ...])


def find_risks(view: View) -> tuple[Risk, ...]:
    """Every risk that the system shows, in the order of the table."""
    found = []
    for row in risk_rows():
        places = _places(row, view)
        if places:
            found.append(Risk(row=row, places=places))
    return tuple(found)


def _places(row: RiskRow, view: View) -> tuple[Place, ...]:
    if row.id in _DETECTORS:
        return _DETECTORS[row.id](view)
    if row.calls:
        return _called(row, view)
    if any(_has(need, view) for need in row.lacks):
        return ()
    if row.needs == ("serve", "score") and not _answers_by_models(view):
        return ()
    shown = view.activity(*row.needs)
    return shown[:3]


def _has(need: str, view: View) -> bool:
    if need == "rollback":
        named = any(_ROLLBACK.match(call.name) for module in view.sources.modules for call in module.calls)
        written = any("rollout undo" in file.text or "helm rollback" in file.text for file in view.sources.texts)
        tools = any(one.usage == "used" and one.technology in _ROLLBACK_TOOLS for one in view.findings)
        return named or written or tools
    if need == "registry":
        return any(one.usage == "used" and one.kind == "registry" for one in view.findings)
    return bool(view.activity(need))


def _answers_by_models(view: View) -> bool:
    """Whether there is a model behind what answers: learned here, taken from elsewhere, or written by hand."""
    return (
        bool(view.activity("train", "save", "register", "score"))
        or shows_machine_learning(one for one in view.findings if one.usage == "used" and one.scope == "main")
        or any(_MODEL.search(module.source) for module in view.sources.modules)
    )


def _called(row: RiskRow, view: View) -> tuple[Place, ...]:
    pattern = re.compile("|".join(translate(one) for one in row.calls))
    found = []
    for module in view.sources.modules:
        for call in module.calls:
            needed = row.only_with.get(call.name, "")
            if pattern.match(call.name) and not call.keywords & set(row.unless) and needed in {"", *call.keywords}:
                found.append(Place(path=module.path, line=call.line, shows=f"{call.name}()"))
                break
    return tuple(found)
