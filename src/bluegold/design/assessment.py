"""Assessment: an existing code base held against what S1-S6 expect, row by row, with the places that show it."""

from __future__ import annotations

from typing import Literal

from bluegold.core.nouns import Finding, Noun, Section

__all__ = ["Assessed", "assess"]


class Assessed(Noun, frozen=True, kw_only=True):
    """One expectation: present when something in use answers it, declared when a dependency only promises it."""

    section: Section
    expectation: str
    status: Literal["present", "declared", "missing"]
    technologies: tuple[str, ...]
    evidence: tuple[str, ...]


#: section, what is expected, words in a finding's kind that answer it
_EXPECTED: tuple[tuple[Section, str, tuple[str, ...]], ...] = (
    ("S1", "data quality checks", ("quality",)),
    ("S1", "a model framework with training code", ("framework",)),
    ("S1", "training orchestration", ("orchestrat",)),
    ("S1", "experiment tracking", ("tracking",)),
    ("S1", "hyper-parameter search", ("tuning",)),
    ("S2", "serving", ("serving",)),
    ("S2", "a feature store, or shared feature code", ("feature",)),
    ("S2", "monitoring", ("monitor",)),
    ("S3", "a relational store", ("relational",)),
    ("S3", "an object store", ("object",)),
    ("S3", "a key-value, graph or vector store where needed", ("key-value", "key_value", "graph", "vector")),
    ("S4", "a model registry", ("registry", "tracking")),
    ("S5", "continuous integration", ("ci",)),
    ("S5", "containers or another deployment unit", ("container", "deploy")),
    ("S5", "staged delivery", ("delivery", "rollout", "cd")),
    ("S6", "fairness or explainability checks", ("fairness", "explain")),
)


def assess(findings: tuple[Finding, ...]) -> tuple[Assessed, ...]:
    """Hold findings against every expectation.

    Args:
        findings: of one code base.

    Example:
        >>> assess(())[0].status
        'missing'
    """
    return tuple(_row(findings, section, text, words) for section, text, words in _EXPECTED)


def _row(findings: tuple[Finding, ...], section: Section, text: str, words: tuple[str, ...]) -> Assessed:
    found = [one for one in findings if one.usage != "mentioned" and _answers(one.kind, words)]
    used = [one for one in found if one.usage == "used"]
    shown = used or found
    return Assessed(
        section=section,
        expectation=text,
        status="present" if used else "declared" if found else "missing",
        technologies=tuple(dict.fromkeys(one.technology for one in shown)),
        evidence=tuple(dict.fromkeys(f"{one.path}:{one.line}" for one in shown))[:20],
    )


def _answers(kind: str, words: tuple[str, ...]) -> bool:
    parts = kind.replace("_", "-").split("-")
    return any(word in parts if len(word) <= 2 else word.replace("_", "-") in kind.replace("_", "-") for word in words)
