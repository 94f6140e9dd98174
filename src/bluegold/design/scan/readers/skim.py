"""Skimming Python: code without its comments and docstrings, told apart by one expression and never parsed."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Skimmed", "long_texts", "skim"]

#: what never ends is a text to the end of its line, or of the source: every place is passed once
_LONG = (
    r'''"""[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*+(?:"""|\Z)'''
    r"""|'''[^'\\]*+(?:(?:\\.|'(?!''))[^'\\]*+)*+(?:'''|\Z)"""
)
_PIECE = re.compile(
    _LONG + r'|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?'
    r"|'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+'?"
    r"|#[^\n]*",
    re.DOTALL,
)
_TRIPLE = frozenset({'"""', "'''"})
#: what a text that stands alone follows: nothing, a colon or the end of a statement, and never an open bracket
_ALONE = re.compile(r"(?:^|[:\w)\]}\"'])[ \t]*(?:#[^\n]*)?\n\s*[rRuU]?$|^\s*[rRuU]?$")


class Skimmed(NamedTuple):
    """The code with its other texts, and the prose: (position, text) of comments and of texts that stand alone."""

    code: str
    prose: list[tuple[int, str]]

    @property
    def lines(self) -> list[str]:
        """The lines of the code, as many as the source has."""
        return self.code.split("\n")


def _alone(text: str, start: int) -> bool:
    """Whether a text is a statement of its own: nothing before it in its line, and no open bracket above."""
    near = text[max(0, start - 200) : start]
    before = near.rpartition("\n")[2].strip()
    return before.lower() in {"", "r", "u"} and _ALONE.search(near) is not None


def long_texts(text: str) -> list[tuple[int, str]]:
    """(position, text) of every text in triple quotes.

    Example:
        >>> long_texts("x = '''a'''  # '''b")
        [(4, "'''a'''")]
    """
    return [(found.start(), found.group()) for found in _PIECE.finditer(text) if found.group()[:3] in _TRIPLE]


def skim(text: str) -> Skimmed:
    """Take comments and docstrings out of Python source.

    Example:
        >>> found = skim('x = "#1"  # one\\ndef f():\\n    \"\"\"Two.\"\"\"\\n    return g("three")')
        >>> [said for _, said in found.prose], "three" in found.code
        (['# one', '\"\"\"Two.\"\"\"'], True)
    """
    kept: list[str] = []
    prose: list[tuple[int, str]] = []
    done = 0
    for found in _PIECE.finditer(text):
        piece = found.group()
        start = found.start()
        if piece[0] == "#" or (piece[:3] in _TRIPLE and _alone(text, start)):
            kept.append(text[done:start] + "\n" * piece.count("\n"))
            prose.append((start, piece))
            done = found.end()
    kept.append(text[done:])
    return Skimmed("".join(kept), prose)
