"""Annexes: the secondary files of a design: stage contracts, store matrix, registry workflow, checklist."""

from __future__ import annotations

import re
from typing import Any

from bluegold.core.nouns import Port
from bluegold.design.blocks import Bullets, Heading, Paragraph, Table
from bluegold.design.brief import Brief
from bluegold.design.diagrams import png, svg
from bluegold.design.facts import StageFact
from bluegold.design.markdown import blocks_as_markdown
from bluegold.design.sections import as_is, s3_stores, s4_registry, s6_requirements
from bluegold.design.words import Words, drawn, spoken
from bluegold.requirements.catalog import CATEGORIES, category

__all__ = ["annexes"]


def annexes(brief: Brief, packet: dict[str, Any], words: Words) -> dict[str, bytes]:
    """File name -> content of every secondary file."""
    sources = {item["id"]: item["source"] for item in packet["evidence"]}
    found: dict[str, str] = {}
    facts = brief.facts
    for side, stages in (("S1", facts.development), ("S2", facts.production)):
        titles = list(dict.fromkeys(stage.title for stage in stages))
        for title in titles:
            parts = tuple(stage for stage in stages if stage.title == title)
            name = f"stages/{side}-{titles.index(title) + 1}_{_slug(title)}.md"
            found[name] = _stage(brief, title, parts, words)
    found["store-comparison.md"] = blocks_as_markdown(
        words.say("Store comparison"), (spoken(s3_stores.comparison(brief), words),), words
    )
    found["requirements-checklist.md"] = _checklist(brief, words)
    texts = {name: _named(text, sources).encode() for name, text in found.items()}
    drawings = {"registry-workflow": s4_registry.state_diagram(brief)}
    now = as_is.pipelines(brief)
    if now is not None:
        drawings["as-is"] = now
    spoken_ones = {name: drawn(one.source, words) for name, one in drawings.items()}
    texts |= {f"{name}.mmd": (source + "\n").encode() for name, source in spoken_ones.items()}
    texts |= {f"{name}.svg": svg(source).encode() for name, source in spoken_ones.items()}
    return texts | {"registry-workflow.png": png(spoken_ones["registry-workflow"])}


def _slug(title: str) -> str:
    """A title as part of a file name.

    Example:
        >>> _slug("Dev Ops / CD CI")
        'dev-ops-cd-ci'
    """
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _named(text: str, sources: dict[str, str]) -> str:
    """Outside the document an evidence number says nothing: write its source instead."""
    for identifier, source in sources.items():
        text = text.replace(f"[{identifier}](#{identifier.lower()})", f"`{source}`")
    return text


def _stage(brief: Brief, title: str, parts: tuple[StageFact, ...], words: Words) -> str:
    blocks: list[Any] = []
    for stage in parts:
        contract = stage.contract
        limit = f"{contract.timeout_s:g} s, {contract.retries} {words.say('retries')}"
        mark = brief.cites.cite(stage.place, f"contract of {contract.name}")
        if len(parts) > 1:
            blocks.append(Heading(text=contract.name, anchor=_slug(contract.name)))
        blocks += [
            Paragraph(text=f"{contract.purpose} {mark}"),
            _ports("Inputs", contract.inputs),
            _ports("Outputs", contract.outputs),
            Bullets(
                items=(
                    f"**{words.say('Gate')}:** {contract.gate}",
                    f"**{words.say('Owner')}:** {contract.owner}",
                    f"**{words.say('On failure')}:** {contract.on_failure}",
                    f"**{words.say('Requirements')}:** {', '.join(contract.requirements) or '-'}",
                    f"**{words.say('Time limit')}:** {limit}",
                )
            ),
        ]
    return blocks_as_markdown(words.pieces(title), tuple(spoken(block, words) for block in blocks), words)


def _ports(caption: str, ports: tuple[Port, ...]) -> Table:
    rows = tuple(
        (
            f"`{port.name}`",
            port.kind,
            port.description or "-",
            ", ".join(f"`{name}`: {kind}" for name, kind in port.fields) or "-",
        )
        for port in ports
    )
    return Table(caption=caption, head=("Port", "Kind", "What it carries", "Fields"), rows=rows)


def _checklist(brief: Brief, words: Words) -> str:
    blocks: list[Any] = [s6_requirements.totals_table(brief)]
    for name, title in CATEGORIES.items():
        rows = tuple(row for row in brief.facts.rows if category(row.requirement.id) == name)
        blocks.append(s6_requirements.requirement_table(brief, title, rows))
    said = tuple(spoken(block, words) for block in blocks)
    return blocks_as_markdown(words.say("Requirements checklist"), said, words)
