"""Blocks: the document as data, written once by the sections and rendered to Markdown and to HTML.

Text is plain text with four marks: ``**strong**``, backticks for code, ``[E-01]`` for
evidence and ``{{pass}}`` for a verdict.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "Block",
    "Bullets",
    "Callout",
    "Diagram",
    "Document",
    "Fold",
    "Heading",
    "Paragraph",
    "Section",
    "Table",
    "Tiles",
    "texts",
]


class Base(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of the blocks."""


class Heading(Base, frozen=True, kw_only=True, tag=True):
    """A heading inside a section; ``anchor`` is its address."""

    text: str
    anchor: str


class Paragraph(Base, frozen=True, kw_only=True, tag=True):
    """Running text."""

    text: str


class Bullets(Base, frozen=True, kw_only=True, tag=True):
    """A list."""

    items: tuple[str, ...]


class Table(Base, frozen=True, kw_only=True, tag=True):
    """A table; the first column names the row, ``numeric`` lists right-aligned columns.

    With ``anchored`` the first column is the row's address; ``wide`` lists columns that hold sentences.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()
    anchored: bool = False
    wide: tuple[int, ...] = ()


class Diagram(Base, frozen=True, kw_only=True, tag=True):
    """A Mermaid diagram; ``alt`` says in words what it shows."""

    name: str
    caption: str
    alt: str
    source: str


class Callout(Base, frozen=True, kw_only=True, tag=True):
    """A remark that must not be missed."""

    kind: Literal["note", "good", "warn", "bad"]
    text: str


class Tiles(Base, frozen=True, kw_only=True, tag=True):
    """Key figures: (label, figure, note)."""

    items: tuple[tuple[str, str, str], ...]


class Fold(Base, frozen=True, kw_only=True, tag=True):
    """Detail that is folded away on a screen and open on paper."""

    summary: str
    blocks: tuple[Table | Bullets | Paragraph, ...]


Block = Heading | Paragraph | Bullets | Table | Diagram | Callout | Tiles | Fold


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One section: its address, its label (``S1`` or empty) and title, its blocks."""

    anchor: str
    label: str
    title: str
    blocks: tuple[Block, ...]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A whole document."""

    title: str
    subtitle: str
    lang: Literal["en", "es"]
    variant: Literal["executive", "technical"]
    sections: tuple[Section, ...]


def texts(block: Block) -> tuple[str, ...]:
    """Every piece of text of a block, for checks.

    Example:
        >>> texts(Bullets(items=("a", "b")))
        ('a', 'b')
    """
    match block:
        case Heading(text=text) | Paragraph(text=text) | Callout(text=text):
            return (text,)
        case Bullets(items=items):
            return items
        case Table():
            return (block.caption, *block.head, *(cell for row in block.rows for cell in row))
        case Diagram():
            return (block.caption, block.alt, block.source)
        case Tiles(items=tiles):
            return tuple(part for tile in tiles for part in tile)
        case Fold():
            return (block.summary, *(text for inner in block.blocks for text in texts(inner)))
