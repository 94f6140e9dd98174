"""Marks: the verdict words of a document, their tone and how they are written out."""

from __future__ import annotations

import re

from bluegold.design.words import Words

__all__ = ["BADGE", "EVIDENCE", "shown", "tone"]

#: ``{{word}}`` and ``[E-01]``
BADGE = re.compile(r"\{\{([^{}]+)\}\}")
EVIDENCE = re.compile(r"\[(E-\d+)\]")

_TONES = {
    "good": ("pass", "objective", "promoted", "met"),
    "fair": ("threshold", "hold", "held", "paused", "waiting for approval", "medium", "under way"),
    "bad": ("fail", "missed", "refused", "rolled back", "rolling back", "Refused", "RolledBack", "not met", "high"),
    "blue": ("Production", "explicit", "applies"),
    "gold": ("Canary", "inferred", "detected", "canary", "shadow", "shift", "rehearsal"),
    "open": ("needs instrumentation", "open"),
}


def tone(word: str) -> str:
    """The tone of a verdict word: good, fair, bad, blue, gold, open or plain.

    Example:
        >>> tone("pass"), tone("missed"), tone("Archived")
        ('good', 'bad', 'plain')
    """
    return next((name for name, words in _TONES.items() if word in words), "plain")


def shown(word: str, words: Words) -> str:
    """A verdict word in the reader's language; what cannot be verified is bracketed, as the method asks.

    Example:
        >>> shown("needs instrumentation", Words("es")), shown("pass", Words("en"))
        ('[Requiere instrumentación]', 'pass')
    """
    if word == "needs instrumentation":
        return f"[{words.say('Needs instrumentation')}]"
    return words.say(word)
