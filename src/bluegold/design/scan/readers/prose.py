"""Prose: documents, and the comments of every other kind of file; what is named there is only mentioned."""

from __future__ import annotations

from collections.abc import Iterator

from bluegold.design.scan.index import Index
from bluegold.design.scan.signals import Signal
from bluegold.design.scan.source import SourceFile

__all__ = ["comment_signals", "mention_signals", "read_prose"]


def mention_signals(text: str, index: Index, first_line: int) -> Iterator[Signal]:
    """One signal for each technology a text names.

    Args:
        text: prose.
        index: the detectors with their vocabulary.
        first_line: the line the text starts at.
    """
    for found in index.vocabulary.find(text):
        line = first_line + text.count("\n", 0, found.offset)
        slot = f"{found.detector.kind}/{found.detector.technology}"
        yield Signal("mention", slot, line, f"mentions {found.word}")


def comment_signals(file: SourceFile, index: Index, markers: tuple[str, ...] = ("#",)) -> Iterator[Signal]:
    """Mentions in the comments of a file whose comments run to the end of the line."""
    if not any(marker in file.text for marker in markers) or not index.vocabulary.knows(file.text):
        return
    for number, line in enumerate(file.lines, 1):
        for marker in markers:
            at = line.find(marker)
            if at == 0 or (at > 0 and line[at - 1] in " \t"):
                yield from mention_signals(line[at:], index, number)
                break


def read_prose(file: SourceFile, index: Index) -> Iterator[Signal]:
    """Signals of a document."""
    yield from mention_signals(file.text, index, 1)
