"""Words: fixed sentences in the reader's language; names, reasons and reports stay in the language of their source."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeVar

import msgspec

from bluegold.design.blocks import Block, Document, Fold, Section

__all__ = ["Words", "translated"]

Language = Literal["en", "es"]
B = TypeVar("B")


@cache
def _table(lang: Language) -> dict[str, str]:
    if lang == "en":
        return {}
    text = files("bluegold.design").joinpath(f"{lang}.toml").read_text(encoding="utf-8")
    return {str(key): str(value) for key, value in tomllib.loads(text)["words"].items()}


class Words:
    """Says fixed sentences in one language.

    Args:
        lang: ``en`` or ``es``; what has no translation stays English.

    Example:
        >>> Words("es").say("Needs input"), Words("en").say("{n} rows", n=3)
        ('Requiere input adicional', '3 rows')
    """

    def __init__(self, lang: Language) -> None:
        self.lang = lang
        self._table = _table(lang)

    def say(self, text: str, **places: Any) -> str:
        """A sentence with its ``{places}`` filled."""
        found = self._table.get(text, text)
        return found.format(**places) if places else found


def translated(document: Document, words: Words) -> Document:
    """A document with every fixed heading, caption, column and cell in the reader's language."""
    if words.lang == "en":
        return document
    return msgspec.structs.replace(
        document,
        title=words.say(document.title),
        subtitle=words.say(document.subtitle),
        sections=tuple(
            Section(
                anchor=section.anchor,
                label=section.label,
                title=words.say(section.title),
                blocks=tuple(_block(block, words) for block in section.blocks),
            )
            for section in document.sections
        ),
    )


def _block(block: Block, words: Words) -> Block:
    changed: dict[str, Any] = {}
    for name, value in msgspec.structs.asdict(block).items():
        if name in {"source", "anchor", "name", "kind", "numeric", "anchored", "wide"}:
            continue
        if name == "blocks" and isinstance(block, Fold):
            changed[name] = tuple(_block(inner, words) for inner in block.blocks)
        else:
            changed[name] = _deep(value, words)
    return msgspec.structs.replace(block, **changed)


def _deep(value: Any, words: Words) -> Any:
    if isinstance(value, tuple):
        return tuple(_deep(item, words) for item in value)
    if not isinstance(value, str):
        return value
    text, mark = value, ""
    if value.endswith("]") and " [E-" in value:
        text, _, mark = value.partition(" [E-")
        mark = f" [E-{mark}"
    strong = text.startswith("**") and text.endswith("**") and text.count("**") == 2
    said = f"**{words.say(text[2:-2])}**" if strong else words.say(text)
    return said + mark
