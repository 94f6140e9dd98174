"""Words: fixed sentences in the reader's language; names, reasons and reports stay in the language of their source."""

from __future__ import annotations

import re
import textwrap
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeVar

import msgspec

from bluegold.design.blocks import Block, Diagram, Document, Fold, Section

__all__ = ["Words", "drawn", "spoken", "translated"]

Language = Literal["en", "es"]
#: where a cell is taken apart, the strongest joint first
_JOINTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(`[^`]*`|\[E-[^\]]*\]|\{\{[^}]*\}\})",
        r"(\*\*)",
        r"(^S?\d+ |^[:;] |^(?:(?:contract|signals|drift) of|candidate|gate|field|feature|history|look-up in|why) )",
        r"(^Lineage of )",
        r"((?<=[.?])\s+|\.$|\]$)",
        r"(; )",
        r"(: |:$)",
        r"(, | -> | / )",
    )
)
#: what people read in Mermaid: quoted labels, who takes part, what is said to whom
_LABEL = re.compile(r'"([^"]*)"')
_SAID = re.compile(r"(\s*(?:participant \w+ as |\w+\s*-[-.>x)]+\s*\w+: |Note [^:]*: ))(.+)")
_NUMBER = re.compile(r"\d[\d,.]*\d|\d")
B = TypeVar("B", bound=Block)


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

    def pieces(self, text: str) -> str:
        """A cell in the reader's language, as a whole or part by part: strong words, marks, sentences, lists.

        Names, code and what has no translation stay as they are.

        Example:
            >>> Words("es").pieces("**Decision**: none yet; open")
            '**Decisión**: ninguna aún; abierto'
        """
        if text in self._table or not self._table:
            return self.say(text)
        return self._split(text, 0)

    def _split(self, text: str, level: int) -> str:
        bare = text.strip()
        said = self._whole(bare) if bare and not bare.startswith("{{") else ""
        if said:
            return text.replace(bare, said)
        if level == len(_JOINTS) or not bare or bare[0] == bare[-1] == "`" or bare.startswith("{{"):
            return text
        return "".join(self._split(part, level + 1) for part in _JOINTS[level].split(text))

    def _whole(self, bare: str) -> str:
        """A part that the table holds: as written, in the other case, without its full stop, or with its numbers."""
        stop = "." if bare.endswith(".") and bare not in self._table else ""
        text = bare.removesuffix(".") if stop else bare
        for key in (text, text[:1].lower() + text[1:]):
            found = self._table.get(key)
            if found is None and (numbers := _NUMBER.findall(key)):
                found = self._table.get(_NUMBER.sub("#", key))
                for number in numbers if found else ():
                    found = found.replace("#", number, 1) if found else None
            if found is not None:
                return (found[:1].upper() + found[1:] if text[:1].isupper() else found) + stop
        return ""


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
                blocks=tuple(spoken(block, words) for block in section.blocks),
            )
            for section in document.sections
        ),
    )


def spoken(block: B, words: Words) -> B:
    """A block in the reader's language."""
    if words.lang == "en":
        return block
    changed: dict[str, Any] = {}
    for name, value in msgspec.structs.asdict(block).items():
        if name == "source" and isinstance(block, Diagram):
            changed[name] = drawn(block.source, words)
            continue
        if name in {"source", "anchor", "name", "kind", "numeric", "anchored", "wide"}:
            continue
        if name == "blocks" and isinstance(block, Fold):
            changed[name] = tuple(spoken(inner, words) for inner in block.blocks)
        else:
            changed[name] = _deep(value, words)
    return msgspec.structs.replace(block, **changed)


def drawn(source: str, words: Words) -> str:
    """A drawing with its labels in the reader's language; names in it stay.

    Example:
        >>> print(drawn('a["1 Data<br/>cleansing"] -- "signed version" --> b["mlflow"]', Words("es")))
        a["1 Limpieza<br/>de datos"] -- "versión firmada" --> b["mlflow"]
    """
    if words.lang == "en":
        return source
    lines = []
    for line in source.split("\n"):
        found = _SAID.fullmatch(line)
        if found:
            lines.append(found[1] + words.pieces(found[2]).replace(";", ","))
        else:
            lines.append(_LABEL.sub(lambda quoted: f'"{_wrapped(quoted[1], words)}"', line))
    return "\n".join(lines)


def _wrapped(text: str, words: Words) -> str:
    """A label, said as a whole and broken again where it was broken, or said line by line."""
    parts = text.split("<br/>")
    whole = " ".join(parts)
    said = words.pieces(whole)
    if len(parts) == 1 or said == whole:
        return "<br/>".join(words.pieces(part) for part in parts)
    width = max(*map(len, parts), -(-len(said) // len(parts)))
    return "<br/>".join(textwrap.wrap(said, width + 2, break_long_words=False, break_on_hyphens=False))


def _deep(value: Any, words: Words) -> Any:
    if isinstance(value, tuple):
        return tuple(_deep(item, words) for item in value)
    if not isinstance(value, str):
        return value
    return words.pieces(value)
