"""The closing sections: the validation of the design and the index of its evidence."""

from __future__ import annotations

from bluegold.design.blocks import Callout, Paragraph, Section, Table
from bluegold.design.brief import Brief
from bluegold.design.citations import Citation
from bluegold.design.validate import Check

__all__ = ["evidence", "validation"]


def validation(brief: Brief, checks: tuple[Check, ...]) -> Section:
    """The eleven items with what shows that they hold."""
    held = sum(check.ok for check in checks)
    rows = tuple(
        (
            f"**{check.number}**",
            check.statement,
            "{{met}}" if check.ok else "{{not met}}",
            f"{check.because} {' '.join(f'[{one}]' for one in check.evidence)}",
        )
        for check in checks
    )
    text = brief.say(
        "{n} of {all} items hold, checked by the program on the written document.", n=held, all=len(checks)
    )
    return Section(
        anchor="validation",
        label="",
        title="Validation",
        blocks=(
            Callout(kind="good" if held == len(checks) else "bad", text=text),
            Table(caption="Validation of the design", head=("Item", "Statement", "Holds", "Evidence"), rows=rows),
        ),
    )


def evidence(brief: Brief, cited: tuple[Citation, ...]) -> Section:
    """The index of evidence: id, certainty, place, what it says."""
    rows = tuple((item.id, f"{{{{{item.tag}}}}}", f"`{item.source}`", item.summary) for item in cited)
    text = brief.say(
        "A path and line stand in the definition or in this project's source, a registry record in the workspace's "
        "database, a line of evidence.jsonl in its ledger."
    )
    return Section(
        anchor="evidence",
        label="",
        title="Evidence",
        blocks=(
            Paragraph(text=text),
            Table(caption="Index of evidence", head=("Id", "Tag", "Source", "Says"), rows=rows, anchored=True),
        ),
    )
