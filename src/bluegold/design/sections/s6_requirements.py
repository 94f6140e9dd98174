"""S6: the requirements: threshold, objective, measured value, verdict."""

from __future__ import annotations

from collections.abc import Callable

from bluegold.core.nouns import Requirement
from bluegold.design.blocks import Block, Bullets, Heading, Paragraph, Section, Table
from bluegold.design.brief import Brief
from bluegold.design.places import module_place
from bluegold.design.sections.standing import missed
from bluegold.requirements.catalog import CATEGORIES, category
from bluegold.requirements.checklist import Row, shown_limit, shown_value, totals

__all__ = ["requirement_table", "totals_table", "write"]


def write(brief: Brief) -> Section:
    """Write the section."""
    say = brief.say
    blocks: list[Block] = [
        Paragraph(
            text=say(
                "Each requirement has a threshold that must be met and an objective to aim for; both are shown, they "
                "are not the same. A verdict rests on a probe that measured the running system. Requirements that "
                "hold or do not are attacked, not asserted. What could not be measured here, or does not apply, says "
                "so and never counts as met."
            )
            + " "
            + brief.cites.cite(
                module_place("bluegold.requirements.catalog", "catalog"), "35 requirements of the method"
            )
        ),
        totals_table(brief),
        *missed(brief),
    ]
    for name, title in CATEGORIES.items():
        rows = tuple(row for row in brief.facts.rows if category(row.requirement.id) == name)
        blocks += [Heading(text=title, anchor=f"s6-{name.lower()}"), requirement_table(brief, title, rows)]
    changed = [row.requirement for row in brief.facts.rows if row.requirement.reason]
    if changed:
        blocks += [
            Heading(text="Limits this system replaced", anchor="s6-overrides"),
            Bullets(
                items=tuple(
                    f"**{row.id}**: {_limits(brief.say, row)}; {row.reason} {_replaced(brief, row)}" for row in changed
                )
            ),
        ]
    return Section(anchor="s6", label="S6", title="Requirements and evidence", blocks=tuple(blocks))


def _limits(say: Callable[..., str], row: Requirement) -> str:
    limits = shown_limit(row, row.threshold), shown_limit(row, row.objective)
    return say("{threshold}, objective {objective}", threshold=limits[0], objective=limits[1])


def _replaced(brief: Brief, row: Requirement) -> str:
    return brief.plan(f"requirements.{row.id}", f"{row.id} replaced: {_limits(str.format, row)}")


def totals_table(brief: Brief) -> Table:
    """How many requirements of each category have each verdict."""
    rows = []
    for name, title in CATEGORIES.items():
        count = totals(brief.facts.rows, name)
        rows.append((f"**{title}**", *(str(number) for number in count.values()), str(sum(count.values()))))
    count = totals(brief.facts.rows)
    rows.append(("**All**", *(str(number) for number in count.values()), str(sum(count.values()))))
    return Table(
        caption="Verdicts by category",
        head=("Category", "Objective", "Threshold", "Missed", "Needs instrumentation", "Not applicable", "All"),
        rows=tuple(rows),
        numeric=(1, 2, 3, 4, 5, 6),
    )


def requirement_table(brief: Brief, caption: str, rows: tuple[Row, ...]) -> Table:
    """Threshold -> objective -> measured value -> verdict, with where it is answered and what measured it."""
    return Table(
        caption=caption,
        head=("Requirement", "Threshold", "Objective", "Measured", "Verdict", "How"),
        rows=tuple(_row(brief, row) for row in rows),
        numeric=(1, 2, 3),
        wide=(5,),
    )


def _row(brief: Brief, row: Row) -> tuple[str, ...]:
    item = row.requirement
    changed = "*" if item.reason else ""
    measured = f"{shown_value(item, row.evidence.value)} {brief.measured(row)}" if row.evidence else "-"
    how = row.evidence.method if row.evidence else item.method
    samples = f" (n = {row.evidence.samples:,})" if row.evidence else ""
    return (
        f"**{item.id}** {item.title}",
        shown_limit(item, item.threshold) + changed,
        shown_limit(item, item.objective) + changed,
        measured,
        f"{{{{{row.verdict}}}}}",
        f"{how}{samples} `{item.component}`",
    )
