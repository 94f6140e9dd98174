"""Diagrams: Mermaid text to SVG without a browser, in colours that follow the page's theme.

The text uses the classes and light colours of :data:`CLASSES`; in the SVG each colour becomes a CSS variable, so
light, dark and print come from one picture.
"""

from __future__ import annotations

import re
from functools import cache

__all__ = ["CLASSES", "label", "png", "svg", "themed"]

#: Mermaid class -> (fill, stroke, text): every colour is used once, so that it can be told apart in the SVG.
_PALETTE = {
    "stage": ("#E7EDF6", "#34557F", "#13233B"),
    "store": ("#E6F3EC", "#2C7A57", "#13233C"),
    "outside": ("#FDFDFE", "#7C8798", "#13233D"),
    "blue": ("#2556B8", "#1B428F", "#FEFEFE"),
    "gold": ("#F3C552", "#9A7006", "#13233E"),
    "gate": ("#FFF6DD", "#9A7007", "#13233F"),
    "bad": ("#FBE9E7", "#B3372A", "#132340"),
    "good": ("#E4F4E8", "#24744A", "#132341"),
}

#: The ``classDef`` lines every diagram ends with.
CLASSES = "\n".join(
    f"  classDef {name} fill:{fill},stroke:{stroke},color:{text}" for name, (fill, stroke, text) in _PALETTE.items()
)

#: Colours that the renderer itself uses.
_OWN = {
    "#FFFFFF": "--d-label",
    "#172D4A": "--d-ink",
    "#596579": "--d-soft",
    "#000000": "--d-line",
    "#E5EFFA": "--d-stage-fill",
    "#F0F4FA": "--d-group",
    "#4472C4": "--d-stage-line",
}


def label(text: str) -> str:
    """A text that is safe inside a Mermaid label.

    Example:
        >>> label('say "a" [now]; b<br/>c')
        "say 'a' (now), b<br/>c"
    """
    text = re.sub(r"<(?!br/>)/?\w*|(?<!/)>", "", text.replace("<br/>", "\n"))
    for bad, good in (('"', "'"), ("[", "("), ("]", ")"), ("{", "("), ("}", ")"), (";", ","), ("#", ""), ("|", "/")):
        text = text.replace(bad, good)
    return text.replace("<", "").replace(">", "").replace("\n", "<br/>")


@cache
def svg(source: str) -> str:
    """Render one diagram; the same text gives the same bytes.

    Raises:
        RuntimeError: the text is no Mermaid that can be drawn.
    """
    from mermaid_render import mermaid_to_svg

    drawn = mermaid_to_svg(source, background="transparent")
    return drawn.decode() if isinstance(drawn, bytes) else str(drawn)


def png(source: str) -> bytes:
    """The same diagram as a picture on white."""
    from mermaid_render import mermaid_to_png

    return bytes(mermaid_to_png(source, background="white"))


def themed(source: str, name: str, alt: str) -> str:
    """The SVG for a page: colours by CSS variable, its own title, no fixed font, no ids that could clash.

    Args:
        source: the Mermaid text.
        name: unique name on the page.
        alt: what it shows, in words.
    """
    text = svg(source)
    head = re.match(r"<svg[^>]*>", text)
    box = re.search(r'viewBox="([^"]*)"', text)
    if head is None or box is None:
        return text
    _, _, width, height = (float(part) for part in box[1].split())
    body = text[head.end() :]
    for colour, variable in _variables().items():
        body = re.sub(rf'(fill|stroke)="{colour}"', rf'style="\1:var({variable})"', body, flags=re.IGNORECASE)
        body = re.sub(rf"(fill|stroke|color)\s*:\s*{colour}", rf"\1:var({variable})", body, flags=re.IGNORECASE)
    body = _one_style(body)
    body = re.sub(r'\bid="([^"]*)"', rf'id="{name}-\1"', body)
    body = re.sub(r"url\(#([^)]*)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r'href="#([^"]*)"', rf'href="#{name}-\1"', body)
    title = _escape(alt)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{name}-t" class="drawing" '
        f'viewBox="{box[1]}" width="{width:g}" height="{height:g}" style="fill:var(--d-ink);--w:{width:g}px">'
        f'<title id="{name}-t">{title}</title>{body}'
    )


def _variables() -> dict[str, str]:
    found = dict(_OWN)
    for name, (fill, stroke, text) in _PALETTE.items():
        found |= {fill: f"--d-{name}-fill", stroke: f"--d-{name}-line", text: f"--d-{name}-ink"}
    return found


def _one_style(body: str) -> str:
    """Join the style attributes of each tag: a tag may carry only one."""

    def join(tag: re.Match[str]) -> str:
        styles = re.findall(r'\sstyle="([^"]*)"', tag[0])
        if len(styles) < 2:
            return tag[0]
        bare = re.sub(r'\sstyle="[^"]*"', "", tag[0])
        end = "/>" if bare.endswith("/>") else ">"
        inner = bare[: -len(end)].rstrip()
        return f'{inner} style="{";".join(s.rstrip(";") for s in styles)}"{end}'

    return re.sub(r"<\w[^>]*>", join, body)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
