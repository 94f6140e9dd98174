"""Standing: the two questions an auditor asks first: who was in production when, and what is missed and why."""

from __future__ import annotations

from bluegold.core.nouns import StageChange
from bluegold.design.blocks import Block, Heading, Paragraph, Table
from bluegold.design.brief import Brief
from bluegold.requirements.checklist import shown_limit, shown_value

__all__ = ["missed", "periods"]

_SHOWN = 20


def periods(brief: Brief) -> list[Block]:
    """Who was in production from when until when, newest first; nothing before a first promotion.

    Args:
        brief: what is known of the system.
    """
    rows = [
        _period(brief, number, change)
        for number, change in enumerate(brief.facts.history.changes)
        if change.to_stage == "Production"
    ][::-1]
    if not rows:
        return []
    moment = brief.facts.history.changes[-1].at
    ask = brief.say("For any moment, with the evidence:")
    return [
        Heading(text="Who was in production, and when", anchor="s4-periods"),
        Table(
            caption=f"Newest {min(_SHOWN, len(rows))} of {len(rows)} periods in production (UTC)",
            head=("From", "Until", "Version", "Brought there by", "Approved by", "Because", "Evidence"),
            rows=tuple(rows[:_SHOWN]),
        ),
        Paragraph(text=f"{ask} `bluegold history {brief.facts.name} --at {moment:%Y-%m-%dT%H:%M:%S}Z`"),
    ]


def _period(brief: Brief, number: int, began: StageChange) -> tuple[str, ...]:
    history = brief.facts.history
    ended = next(
        (later for later in history.changes[number + 1 :] if later.ref == began.ref and later.to_stage != "Production"),
        None,
    )
    given = [one.actor for one in history.approvals.get(began.ref, ()) if one.at <= began.at]
    return (
        f"{began.at:%Y-%m-%d %H:%M:%S}",
        f"{ended.at:%Y-%m-%d %H:%M:%S}" if ended else "**now**",
        f"**{began.ref.rpartition(':')[2]}**",
        began.actor,
        ", ".join(given) or "nobody",
        began.reason,
        brief.cites.cite(
            f"registry: stage change {number + 1} of {brief.facts.name}",
            f"{began.ref} to {began.to_stage} by {began.actor}",
        ),
    )


def missed(brief: Brief) -> list[Block]:
    """Each requirement that is missed: by how much, and what the probe saw; nothing where none is.

    Args:
        brief: what is known of the system.
    """
    rows = tuple(
        (
            f"**{row.requirement.id}** {row.requirement.title}",
            shown_limit(row.requirement, row.requirement.threshold),
            f"{shown_value(row.requirement, row.evidence.value)} {brief.measured(row)}",
            row.evidence.method,
            f"`{row.requirement.component}`",
        )
        for row in brief.facts.rows
        if row.verdict == "missed" and row.evidence is not None
    )
    if not rows:
        return []
    return [
        Heading(text="What is missed, and why", anchor="missed"),
        Table(
            caption="Requirements below their threshold",
            head=("Requirement", "Threshold", "Measured", "What the probe saw", "Where it is decided"),
            rows=rows,
            numeric=(1, 2),
            wide=(3,),
        ),
    ]
