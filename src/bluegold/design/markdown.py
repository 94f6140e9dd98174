"""Markdown: a document as GitHub-flavoured Markdown with Mermaid."""

from __future__ import annotations

from bluegold.design.blocks import (
    Block,
    Bullets,
    Callout,
    Diagram,
    Document,
    Fold,
    Heading,
    Paragraph,
    Section,
    Table,
    Tiles,
)
from bluegold.design.marks import BADGE, EVIDENCE, shown
from bluegold.design.words import Words

__all__ = ["blocks_as_markdown", "markdown"]

ANCHOR = "\x1f"
_CALLOUT = {"note": "NOTE", "good": "TIP", "warn": "WARNING", "bad": "CAUTION"}


def markdown(document: Document, words: Words) -> str:
    """The whole document.

    Args:
        document: what to write, already in the reader's language.
        words: that language, for verdict words.
    """
    parts = [f"# {_inline(document.title, words)}", _inline(document.subtitle, words)]
    parts.append("\n".join(f"- [{_name(section)}](#{section.anchor})" for section in document.sections))
    for section in document.sections:
        parts.append(f'<a id="{section.anchor}"></a>\n\n## {_name(section)}')
        parts += [_block(block, words) for block in section.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def blocks_as_markdown(title: str, blocks: tuple[Block, ...], words: Words) -> str:
    """Some blocks as a document of their own."""
    return "\n\n".join((f"# {_inline(title, words)}", *(_block(block, words) for block in blocks))) + "\n"


def _name(section: Section) -> str:
    return f"{section.label} {section.title}".strip()


def _block(block: Block, words: Words) -> str:
    match block:
        case Heading():
            return f'<a id="{block.anchor}"></a>\n\n### {_inline(block.text, words)}'
        case Paragraph():
            return _inline(block.text, words)
        case Bullets():
            return "\n".join(f"- {_inline(item, words)}" for item in block.items)
        case Callout():
            return f"> [!{_CALLOUT[block.kind]}]\n> {_inline(block.text, words)}"
        case Diagram():
            caption = _inline(block.caption, words)
            return f"**{caption}**\n\n```mermaid\n{block.source}\n```\n\n*{_inline(block.alt, words)}*"
        case Tiles():
            tiles = tuple((f"**{label}**", figure, note) for label, figure, note in block.items)
            return _rows(("", "", ""), tiles, (), words)
        case Table():
            rows = block.rows
            if block.anchored:
                rows = tuple((f"{ANCHOR}{row[0]}{ANCHOR}", *row[1:]) for row in rows)
            return f"**{_inline(block.caption, words)}**\n\n{_rows(block.head, rows, block.numeric, words)}"
        case Fold():
            inner = "\n\n".join(_block(part, words) for part in block.blocks)
            return f"<details>\n<summary>{_inline(block.summary, words)}</summary>\n\n{inner}\n\n</details>"


def _rows(head: tuple[str, ...], rows: tuple[tuple[str, ...], ...], numeric: tuple[int, ...], words: Words) -> str:
    rule = "|".join("---:" if number in numeric else "---" for number in range(len(head)))
    lines = ["| " + " | ".join(_cell(cell, words) for cell in head) + " |", f"|{rule}|"]
    lines += ["| " + " | ".join(_cell(cell, words) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(text: str, words: Words) -> str:
    if text.startswith(ANCHOR):
        name = text.strip(ANCHOR)
        return f'<a id="{name.lower()}"></a>{name}'
    return _inline(text, words).replace("|", "\\|").replace("\n", " ")


def _inline(text: str, words: Words) -> str:
    pieces = text.split("`")
    for number in range(0, len(pieces), 2):
        piece = pieces[number].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        piece = BADGE.sub(lambda found: f"**{shown(found[1], words)}**", piece)
        pieces[number] = EVIDENCE.sub(lambda found: f"[{found[1]}](#{found[1].lower()})", piece)
    return "`".join(pieces)
