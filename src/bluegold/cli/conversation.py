"""The conversation of `bluegold design` at a terminal: questions on stderr, answers from stdin."""

from __future__ import annotations

import select
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from bluegold.cli.terminal import say

if TYPE_CHECKING:
    from bluegold.core.plan import Plan
    from bluegold.core.workspace import Workspace
    from bluegold.design.document import Examined
    from bluegold.design.modes import Conversation
    from bluegold.features.system import System

__all__ = ["conversation", "typed", "with_answers"]


def typed(prompt: str) -> str:
    """Show a prompt on stderr and read one line; the end of the input counts as Ctrl-C."""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    select.select([sys.stdin], [], [])  # unlike a read, it always ends at Ctrl-C, whoever handles signals
    line = sys.stdin.readline()
    if not line:
        raise KeyboardInterrupt
    return line


def conversation(system: str, mode: str, lang: str, folder: Path) -> Conversation:
    """A conversation about one design; where stdin is no terminal nobody can be asked.

    Raises:
        UsageError: there is no such mode or language.
    """
    from bluegold.core.errors import UsageError
    from bluegold.design.modes import Conversation, mode_of
    from bluegold.design.words import Language, Words

    if lang not in {"en", "es"}:
        raise UsageError(f"there is no language '{lang}'", way_out="use one of en, es")
    ask = typed if sys.stdin.isatty() else None
    words = Words(cast(Language, lang))
    return Conversation(system, mode_of(mode), ask=ask, tell=say, say=words.say, folder=folder)


def with_answers(talk: Conversation, subject: System | Plan, known: Workspace | None, found: Examined) -> Examined:
    """What was examined, with what a person answered; stops where a checkpoint is not approved.

    Raises:
        DeliveryError: a checkpoint was not approved.
    """
    from bluegold.design.decide import decide, missing
    from bluegold.design.facts import Facts, gather
    from bluegold.design.modes import given_answers
    from bluegold.design.scan.summary import technologies

    def facts_with(given: Mapping[str, Any]) -> Facts:
        return gather(subject, known, found.findings, as_is=found.as_is, plan_text=found.plan_text, given=given)

    used = [item for item in technologies(found.findings) if item.usage == "used"]
    talk.checkpoint("after the scan", [f"{i.section} {i.technology} {i.best.path}:{i.best.line}" for i in used])
    stated = facts_with(found.given)
    given = {**found.given, **given_answers(talk.facts(missing(stated)), {})}
    decided = decide(facts_with(given))
    chosen = talk.decisions(decided)
    given = {**given, **given_answers({}, chosen)}
    decided = decide(facts_with(given))
    talk.checkpoint("after the decisions", talk.standing(decided))
    return msgspec.structs.replace(found, given=given)
