"""The catalogue: every requirement of the method, with one system's overrides applied."""

from __future__ import annotations

import difflib
import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from bluegold.core.errors import DefinitionError, UsageError
from bluegold.core.nouns import Evidence, Requirement
from bluegold.core.plan import Override, Plan

__all__ = ["CATEGORIES", "Grade", "catalog", "category", "judge", "requirement"]

Grade = Literal["objective", "threshold", "missed", "needs instrumentation", "not applicable"]

SHOWN = 4  # near matches in an error message

CATEGORIES = {
    "AP": "Application performance",
    "NF": "Non-functional",
    "SEC": "Security",
    "CP": "Compliance and privacy",
}


@cache
def _rows() -> tuple[Requirement, ...]:
    text = files("bluegold.requirements").joinpath("catalog.toml").read_text(encoding="utf-8")
    rows = [{"threshold": None, "objective": None, **row} for row in tomllib.loads(text)["requirement"]]
    return msgspec.convert(rows, tuple[Requirement, ...])


def catalog(plan: Plan | None = None) -> tuple[Requirement, ...]:
    """All requirements in catalogue order, with the plan's overrides applied and their reasons kept.

    Args:
        plan: the system's plan; without one the method's own limits are returned.

    Raises:
        DefinitionError: an override names no requirement, a requirement without a number, or an
            objective that is weaker than its threshold.

    Source: Avila, R. D. & Ahmad, I. (2025), Architecting AI Software Systems, chapters 5-6.

    Example:
        >>> len(catalog())
        35
        >>> catalog()[0].threshold, catalog()[0].objective
        (30.0, 10.0)
    """
    rows = _rows()
    overrides = plan.requirements if plan else {}
    unknown = sorted(set(overrides) - {row.id for row in rows})
    if unknown:
        raise DefinitionError(
            f"requirements.{unknown[0]} is not in the catalogue",
            why=f"the ids are {rows[0].id} to {rows[-1].id}",
            way_out="correct the id in architecture.yaml",
            subject=unknown[0],
        )
    return tuple(_overridden(row, overrides[row.id]) if row.id in overrides else row for row in rows)


def _overridden(row: Requirement, override: Override) -> Requirement:
    if row.direction == "holds":
        raise DefinitionError(
            f"requirements.{row.id} has no number to override",
            why="it holds or it does not",
            way_out="remove the override from architecture.yaml",
            subject=row.id,
        )
    threshold = row.threshold if override.threshold is None else override.threshold
    objective = row.objective if override.objective is None else override.objective
    if threshold is not None and objective is not None and not _meets(row.direction, objective, threshold):
        if override.objective is not None:
            raise DefinitionError(
                f"requirements.{row.id}: the objective {objective:g} is weaker than the threshold {threshold:g}",
                why=f"values are better when {row.direction}",
                way_out="give an objective at least as strict as the threshold",
                subject=row.id,
            )
        objective = threshold
    return msgspec.structs.replace(row, threshold=threshold, objective=objective, reason=override.reason)


def requirement(identifier: str, plan: Plan | None = None) -> Requirement:
    """One requirement by its id, upper or lower case.

    Raises:
        UsageError: no requirement has that id; the message lists those that come near.

    Example:
        >>> requirement("ap-10").title
        'Reconfigure to the safe configuration'
    """
    wanted = identifier.strip().upper()
    for row in catalog(plan):
        if row.id == wanted:
            return row
    near = _near(wanted, catalog(plan))
    raise UsageError(
        f"there is no requirement '{identifier}'",
        why=f"the nearest are {', '.join(f'{row.id} ({row.title.lower()})' for row in near)}" if near else "",
        way_out="use an id such as AP-1, NF-2, SEC-2 or CP-5; 'bluegold prove' lists them",
        subject=identifier,
    )


def _near(wanted: str, rows: tuple[Requirement, ...]) -> tuple[Requirement, ...]:
    """Requirements whose id looks like what was asked for, or whose title holds it."""
    alike = difflib.get_close_matches(wanted, [row.id for row in rows], n=SHOWN, cutoff=0.7)
    titled = [row.id for row in rows if len(wanted) >= 4 and wanted in row.title.upper()]
    return tuple(row for row in rows if row.id in (alike or titled))[:SHOWN]


def category(identifier: str) -> str:
    """The category of a requirement id: AP, NF, SEC or CP.

    Example:
        >>> category("SEC-2")
        'SEC'
    """
    return identifier.split("-", 1)[0]


def judge(row: Requirement, value: Evidence | float | bool | None) -> Grade:
    """Hold a value against its requirement: objective reached, threshold reached, or missed.

    Args:
        row: the requirement with this system's limits.
        value: a number in the requirement's unit, whether a ``holds`` requirement held, or evidence.

    Example:
        >>> judge(requirement("AP-7"), 0.91), judge(requirement("AP-7"), 0.95), judge(requirement("CP-5"), True)
        ('threshold', 'objective', 'objective')
    """
    if isinstance(value, Evidence):
        if value.verdict == "not applicable":
            return "not applicable"
        value = value.value
    if value is None or value != value:  # noqa: PLR0124 - a NaN is a failed measurement, not a number
        return "needs instrumentation"
    if row.direction == "holds":
        return "objective" if value is True else "missed"
    if row.objective is not None and _meets(row.direction, float(value), row.objective):
        return "objective"
    if row.threshold is not None and _meets(row.direction, float(value), row.threshold):
        return "threshold"
    return "missed"


def _meets(direction: str, value: float, limit: float) -> bool:
    return value <= limit if direction == "<=" else value >= limit
