"""Citations: every claim of a document carries an evidence id that points to a place, a record or a measurement."""

from __future__ import annotations

from typing import Literal

import msgspec

from bluegold.core.nouns import Noun

__all__ = ["Citation", "Citations", "Tag"]

Tag = Literal["explicit", "inferred", "open"]


class Citation(Noun, frozen=True, kw_only=True):
    """One piece of evidence: what it is, where it stands, and how sure it makes the claim."""

    id: str
    tag: Tag
    source: str
    summary: str


class Citations:
    """Numbers evidence in the order in which a document first leans on it.

    Example:
        >>> cites = Citations()
        >>> cites.cite("pipeline.py:12", "the contract has a field origin")
        '[E-01]'
        >>> cites.cite("pipeline.py:12", "the contract has a field origin")
        '[E-01]'
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Citation] = {}

    def cite(self, source: str, summary: str, tag: Tag = "explicit") -> str:
        """The mark for one piece of evidence; the same source and tag keep their number.

        What a line states besides (``subject: value``) is added to what was said of it.

        Args:
            source: ``path:line``, a registry record or a ledger entry.
            summary: what it says, in one line.
            tag: ``explicit`` when the source states it, ``inferred`` when a rule concluded it,
                ``open`` when a person still has to say it.
        """
        found = self._known.get((source, tag))
        if found is None:
            found = Citation(id=f"E-{len(self._known) + 1:02d}", tag=tag, source=source, summary=summary)
            self._known[source, tag] = found
        elif ": " in summary and summary not in found.summary.split("; "):
            self._known[source, tag] = msgspec.structs.replace(found, summary=f"{found.summary}; {summary}")
        return f"[{found.id}]"

    @property
    def all(self) -> tuple[Citation, ...]:
        """Everything cited so far, by number."""
        return tuple(self._known.values())

    def ids(self, text: str) -> tuple[str, ...]:
        """The evidence ids that stand in a text, in order, each once.

        Example:
            >>> Citations().ids("stated twice [E-01] [E-02] [E-01]")
            ('E-01', 'E-02')
        """
        found = (part.split("]", 1)[0] for part in text.split("[")[1:])
        return tuple(dict.fromkeys(name for name in found if name.startswith("E-") and name[2:].isdigit()))
