"""The checklist: each requirement beside its newest evidence and the verdict under today's limits."""

from __future__ import annotations

from bluegold.core.nouns import Evidence, Noun, Requirement
from bluegold.requirements.catalog import Grade, category, judge
from bluegold.requirements.ledger import Ledger

__all__ = ["Row", "checklist", "shown_limit", "shown_value", "totals"]


class Row(Noun, frozen=True, kw_only=True):
    """One line of the checklist.  ``line`` is the ledger line the evidence stands on, 0 without evidence."""

    requirement: Requirement
    verdict: Grade
    evidence: Evidence | None = None
    line: int = 0


def checklist(requirements: tuple[Requirement, ...], ledger: Ledger) -> tuple[Row, ...]:
    """Join the catalogue with the ledger; a limit that changed since the measurement is judged again.

    Example:
        >>> from pathlib import Path
        >>> from bluegold.requirements.catalog import catalog
        >>> totals(checklist(catalog(), Ledger(Path("nowhere"))))
        {'objective': 0, 'threshold': 0, 'missed': 0, 'needs instrumentation': 35, 'not applicable': 0}
    """
    latest = ledger.latest()
    rows = []
    for item in requirements:
        entry = latest.get(item.id)
        if entry is None:
            rows.append(Row(requirement=item, verdict="needs instrumentation"))
            continue
        rows.append(
            Row(
                requirement=item,
                verdict=judge(item, entry.evidence),
                evidence=entry.evidence,
                line=entry.line,
            )
        )
    return tuple(rows)


def totals(rows: tuple[Row, ...], of: str = "") -> dict[Grade, int]:
    """How many requirements have each verdict, in all or in one category (AP, NF, SEC, CP)."""
    grades: tuple[Grade, ...] = ("objective", "threshold", "missed", "needs instrumentation", "not applicable")
    chosen = [row for row in rows if not of or category(row.requirement.id) == of]
    return {grade: sum(row.verdict == grade for row in chosen) for grade in grades}


def shown_limit(row: Requirement, limit: float | None) -> str:
    """A threshold or objective as people write it.

    Example:
        >>> from bluegold.requirements.catalog import requirement
        >>> shown_limit(requirement("AP-6"), 10000.0)
        '≥ 10,000 events/s'
    """
    if row.direction == "holds":
        return "holds"
    if limit is None:
        return "-"
    sign = {"<=": "≤", ">=": "≥"}[row.direction]
    return f"{sign} {limit:,.10g} {row.unit}".rstrip()


def shown_value(row: Requirement, value: float | bool | None) -> str:
    """A measured value with a sensible number of digits and its unit.

    Example:
        >>> from bluegold.requirements.catalog import requirement
        >>> shown_value(requirement("AP-6"), 137412.8), shown_value(requirement("NF-5"), 0.00131)
        ('137,413 events/s', '1.31 ms')
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "holds" if value else "broken"
    unit = row.unit
    if unit == "s" and 0 < abs(value) < 1:
        value, unit = (value * 1e3, "ms") if abs(value) >= 1e-3 else (value * 1e6, "µs")
    if value and abs(value) < 0.01:
        number = f"{value:.2g}"
    elif abs(value) >= 1000:
        number = f"{value:,.0f}"
    else:
        number = f"{value:,.3g}" if unit else f"{value:,.4g}"
    return f"{number} {unit}".rstrip()
