"""The page: a document as one HTML file without script, font or picture from elsewhere."""

from __future__ import annotations

import html
import re
from functools import cache
from importlib.resources import files

import jinja2

from bluegold.design.blocks import (
    Block,
    Bullets,
    Callout,
    Diagram,
    Document,
    Fold,
    Heading,
    Paragraph,
    Table,
    Tiles,
)
from bluegold.design.diagrams import themed
from bluegold.design.marks import BADGE, EVIDENCE, shown, tone
from bluegold.design.words import Words

__all__ = ["page", "theme"]

_STRONG = re.compile(r"\*\*(.+?)\*\*")
_INPUT = re.compile(r"\[((?:Needs input|Requiere input adicional)[^\]]*)\]")


def page(document: Document, words: Words, tokens: str = "") -> str:
    """The whole document as one file.

    Args:
        document: what to write, already in the reader's language.
        words: that language, for verdict words and the page's own labels.
        tokens: brand tokens as CSS; the default theme when empty.
    """
    sections = [
        {
            "anchor": section.anchor,
            "label": section.label,
            "title": html.escape(section.title),
            "body": "\n".join(_block(block, words) for block in section.blocks),
            "parts": [
                {"anchor": block.anchor, "title": html.escape(block.text)}
                for block in section.blocks
                if isinstance(block, Heading)
            ],
        }
        for section in document.sections
    ]
    return _template().render(
        lang=document.lang,
        title=html.escape(_bare(document.title)),
        subtitle=_inline(document.subtitle, words),
        sections=sections,
        say=words.say,
        tokens=tokens or theme(),
        style=_resource("page.css"),
    )


def theme() -> str:
    """The default brand tokens."""
    return _resource("theme.css")


@cache
def _resource(name: str) -> str:
    return files("bluegold.design").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=False,  # noqa: S701 - every text is escaped where it enters, in _inline and page
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(_resource("page.html.j2"))


def _block(block: Block, words: Words) -> str:
    match block:
        case Heading():
            return f'<h3 id="{block.anchor}">{_inline(block.text, words)}</h3>'
        case Paragraph():
            return f"<p>{_inline(block.text, words)}</p>"
        case Bullets():
            return "<ul>" + "".join(f"<li>{_inline(item, words)}</li>" for item in block.items) + "</ul>"
        case Callout():
            return f'<p class="callout {block.kind}" role="note">{_inline(block.text, words)}</p>'
        case Diagram():
            return _diagram(block, words)
        case Tiles():
            return _tiles(block, words)
        case Table():
            return _table(block, words)
        case Fold():
            inner = "\n".join(_block(part, words) for part in block.blocks)
            return f"<details><summary>{_inline(block.summary, words)}</summary>\n{inner}\n</details>"


def _diagram(block: Diagram, words: Words) -> str:
    caption = _inline(block.caption, words)
    return (
        f'<figure class="diagram" id="{block.name}">'
        f'<div class="scroll" role="region" aria-label="{html.escape(_bare(block.caption))}" tabindex="0">'
        f"{themed(block.source, block.name, _bare(block.alt))}</div>"
        f"<figcaption><strong>{caption}.</strong> {_inline(block.alt, words)}"
        f"<details class='source'><summary>{html.escape(words.say('Mermaid source'))}</summary>"
        f"<pre><code>{html.escape(block.source)}</code></pre></details></figcaption></figure>"
    )


def _tiles(block: Tiles, words: Words) -> str:
    cells = "".join(
        f"<div><dt>{_inline(label, words)}</dt><dd><b>{_inline(figure, words)}</b>"
        f"<small>{_inline(note, words)}</small></dd></div>"
        for label, figure, note in block.items
    )
    return f'<dl class="tiles">{cells}</dl>'


def _table(block: Table, words: Words) -> str:
    head = "".join(
        f'<th scope="col"{_right(number, block)}>{_inline(cell, words)}</th>' for number, cell in enumerate(block.head)
    )
    rows = "\n".join(
        (f'<tr id="{html.escape(row[0])}">' if block.anchored else "<tr>")
        + "".join(
            f'<th scope="row">{_inline(cell, words)}</th>'
            if number == 0
            else f"<td{_right(number, block)}>{_inline(cell, words)}</td>"
            for number, cell in enumerate(row)
        )
        + "</tr>"
        for row in block.rows
    )
    return (
        f'<div class="scroll" role="region" aria-label="{html.escape(_bare(block.caption))}" tabindex="0">'
        f"<table><caption>{_inline(block.caption, words)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _right(number: int, block: Table) -> str:
    kind = "num" if number in block.numeric else "wide" if number in block.wide else ""
    return f' class="{kind}"' if kind else ""


def _bare(text: str) -> str:
    """Text without marks, for attributes and titles."""
    return EVIDENCE.sub("", BADGE.sub(r"\1", text)).replace("**", "").replace("`", "").strip()


def _inline(text: str, words: Words) -> str:
    pieces = text.split("`")
    for number, piece in enumerate(pieces):
        safe = html.escape(piece)
        if number % 2:
            pieces[number] = f"<code>{_breakable(safe)}</code>"
            continue
        safe = BADGE.sub(lambda found: _badge(html.unescape(found[1]), words), safe)
        safe = _STRONG.sub(r"<strong>\1</strong>", safe)
        safe = _INPUT.sub(r'<mark class="input">[\1]</mark>', safe)
        pieces[number] = EVIDENCE.sub(r'<a class="ev" href="#\1">\1</a>', safe)
    return "".join(pieces)


def _badge(word: str, words: Words) -> str:
    return f'<span class="badge {tone(word)}">{html.escape(shown(word, words))}</span>'


def _breakable(text: str) -> str:
    """Long code may break after a slash, a dot, an underscore or a bracket."""
    return re.sub(r"(?<=[/._(),:])(?=[^\s;])", "<wbr>", text) if len(text) > 24 and "&" not in text else text
