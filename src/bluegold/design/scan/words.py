"""Names in prose: which technologies a text only talks about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bluegold.design.scan.detector import Detector

__all__ = ["Mention", "Vocabulary"]

WORD = re.compile(r"[a-z0-9]+")


class Mention(NamedTuple):
    """A technology named in a text, and where in the text."""

    detector: Detector
    word: str
    offset: int


class Vocabulary:
    """The words of prose that name a technology.

    Args:
        detectors: rows with ``names`` (any case) and ``exact`` (as written).

    Example:
        >>> from bluegold.design.scan.detector import built_in
        >>> [found.word for found in Vocabulary(built_in()).find("We moved from Luigi to Dagster.")]
        ['Dagster', 'Luigi']
        >>> list(Vocabulary(built_in()).find("A ray of light fell on the feast."))
        []
    """

    def __init__(self, detectors: Iterable[Detector]) -> None:
        self._entries: dict[str, list[tuple[re.Pattern[str], Detector]]] = {}
        for row in detectors:
            for word in row.names:
                self._add(word, row, re.IGNORECASE)
            for word in row.exact:
                self._add(word, row, 0)
        self.keys = frozenset(self._entries)

    def _add(self, word: str, row: Detector, flags: int) -> None:
        tokens = WORD.findall(word.lower())
        body = r"[ _-]".join(re.escape(part) for part in word.split(" "))
        left = r"(?<![A-Za-z0-9])" if word[0].isalnum() else ""
        right = r"(?![A-Za-z0-9])" if word[-1].isalnum() else ""
        self._entries.setdefault(max(tokens, key=len), []).append((re.compile(left + body + right, flags), row))

    def knows(self, text: str) -> bool:
        """Whether the text holds a word that may name a technology; cheap, and never wrongly false."""
        return not self.keys.isdisjoint(WORD.findall(text.lower()))

    def find(self, text: str) -> Iterator[Mention]:
        """Each technology the text names, once, sorted by slug and kind."""
        keys = self.keys.intersection(WORD.findall(text.lower()))
        first: dict[tuple[str, str], Mention] = {}
        for key in keys:
            for pattern, row in self._entries[key]:
                found = pattern.search(text)
                if found:
                    known = first.get((row.technology, row.kind))
                    if known is None or found.start() < known.offset:
                        first[row.technology, row.kind] = Mention(row, found.group(), found.start())
        for slot in sorted(first):
            yield first[slot]
