"""Modes: who is asked what before a design is delivered, and what is taken where nobody can be asked.

autopilot asks only for what would change a key decision, each with its default; unattended never asks; supervised
also stops at named checkpoints; step-by-step confirms each section.  Every answer is kept as it is given, so that an
interrupted conversation goes on where it stopped.

Source: modes after the method of Avila & Ahmad (2025), Architecting AI Software Systems.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from bluegold.core.errors import DeliveryError, UsageError
from bluegold.core.workspace import write_atomic
from bluegold.design.decide import Decided, questions
from bluegold.design.workload import QUESTIONS

__all__ = ["JOURNAL", "KEY_DECISIONS", "MODES", "SECTIONS", "Conversation", "Mode", "given_answers", "mode_of"]

Mode = Literal["autopilot", "unattended", "supervised", "step-by-step"]
#: mode -> its spellings
MODES: dict[Mode, tuple[str, ...]] = {
    "autopilot": ("autopilot", "piloto-auto", "piloto-automatico", "piloto-automático"),
    "unattended": ("unattended", "desatendido"),
    "supervised": ("supervised", "supervisado"),
    "step-by-step": ("step-by-step", "paso-a-paso"),
}
#: decisions that a person is asked for when nothing speaks for an answer
KEY_DECISIONS = ("orchestration", "topology", "serving", "approval")
#: sections that step-by-step confirms
SECTIONS: dict[str, str] = {
    "S1": "Development pipeline",
    "S2": "Production pipeline",
    "S3": "Data stores",
    "S4": "Model registry",
    "S5": "Delivery: Blue & Gold",
    "S6": "Requirements and evidence",
}
JOURNAL = "answers.json"
_YES = frozenset({"", "y", "yes", "s", "si", "sí"})
_NO = frozenset({"n", "no"})

Ask = Callable[[str], str]


def mode_of(text: str) -> Mode:
    """The mode behind a spelling.

    Example:
        >>> mode_of("Paso-a-Paso")
        'step-by-step'

    Raises:
        UsageError: there is no such mode.
    """
    for mode, spellings in MODES.items():
        if text.strip().lower() in spellings:
            return mode
    raise UsageError(f"there is no mode '{text}'", way_out=f"use one of {', '.join(MODES)}")


class _Kept(msgspec.Struct, kw_only=True):
    """The journal: answers of an unfinished conversation; of a finished one they are only remembered."""

    system: str
    finished: bool = False
    answers: dict[str, str] = {}


class Conversation:
    """One conversation about one design.

    Args:
        system: the system's name.
        mode: who is asked what.
        ask: shows a prompt and gives the line that was typed; nothing where nobody can be asked.
        tell: shows a line.
        say: translates a fixed sentence and fills its places.
        folder: where the answers are kept.
    """

    def __init__(
        self,
        system: str,
        mode: Mode,
        *,
        ask: Ask | None,
        tell: Callable[[str], None],
        say: Callable[..., str],
        folder: Path,
    ) -> None:
        self._mode = mode
        self._ask = ask if mode != "unattended" else None
        self._tell = tell
        self._say = say
        self._path = folder / JOURNAL
        self._kept = _read(self._path, system)
        if self._kept.answers and not self._kept.finished and self._ask:
            tell(say("{n} answers are kept in {path}: going on from there", n=len(self._kept.answers), path=self._path))
        self._before = self._kept.answers if self._kept.finished else {}
        if self._kept.finished:
            self._kept = _Kept(system=system)

    def facts(self, names: Sequence[str]) -> dict[str, float]:
        """Ask for facts about the work; what is left open stays open.

        Args:
            names: facts that nobody stated (:func:`~bluegold.design.decide.missing`).
        """
        if self._ask is None:
            if names and self._mode != "unattended":
                self._tell(self._say("nobody can be asked here; left open: {what}", what=", ".join(names)))
            return {}
        found = {name: self._number(f"fact.{name}", self._say(QUESTIONS[name])) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    def decisions(self, decided: Iterable[Decided]) -> dict[str, str]:
        """Ask for the key decisions that nothing speaks for; in step-by-step, confirm section by section.

        Args:
            decided: every decision as it stands.

        Returns:
            the answers that differ from what stands, by the decision's id.
        """
        known = tuple(decided)
        if self._mode == "step-by-step" and self._ask is not None:
            return self._by_section(known)
        open_ones = [item for item in known if item.id in KEY_DECISIONS and item.how in {"default", "rule"}]
        if self._ask is None:
            if open_ones and self._mode != "unattended":
                taken = "; ".join(f"{item.id}: {self._say(item.option)}" for item in open_ones)
                self._tell(self._say("nobody can be asked here; taken by default: {what}", what=taken))
            return {}
        return _changed((item, self._choice(item)) for item in open_ones)

    def standing(self, decided: Iterable[Decided]) -> list[str]:
        """Every decision in one line, in the language of the conversation.

        Args:
            decided: every decision as it stands.
        """
        return [
            f"{item.decision.section} {self._say(item.decision.question)} {self._say(item.option)}" for item in decided
        ]

    def checkpoint(self, name: str, lines: Sequence[str]) -> None:
        """Stop for approval where the mode wants it.

        Raises:
            DeliveryError: it was not given; the answers so far are kept.
        """
        if self._mode not in {"supervised", "step-by-step"}:
            return
        where = self._say(name)
        if self._ask is None:
            self._tell(self._say("checkpoint {where}: nobody can be asked here, going on (the default)", where=where))
            return
        for line in lines:
            self._tell(f"  {line}")
        if not self._agrees(f"checkpoint.{name}", self._say("Checkpoint {where}: go on? [Y/n] ", where=where)):
            raise DeliveryError(
                self._say("stopped {where}", where=where), way_out=self._say("run the same command again to go on")
            )

    def finish(self) -> None:
        """The design was delivered: the answers are only remembered from now on."""
        if self._kept.answers:
            self._kept.finished = True
            self._save()

    def _by_section(self, known: tuple[Decided, ...]) -> dict[str, str]:
        chosen: dict[str, str] = {}
        for section, title in SECTIONS.items():
            mine = [item for item in known if item.decision.section == section]
            self._tell(f"{section} {self._say(title)}")
            for number, item in enumerate(mine, 1):
                self._tell(
                    f"  {number} {self._say(item.decision.question)} {self._say(item.option)}"
                    f" ({self._say(item.decision.source)})"
                )
            if not mine:
                self._tell(f"  {self._say('nothing to decide here: its limits stand in architecture.yaml')}")
            chosen |= self._section(section, mine)
        return chosen

    def _section(self, section: str, mine: list[Decided]) -> dict[str, str]:
        """Numbers change a decision each; yes ends the section."""
        chosen: dict[str, str] = {}
        for item in mine:  # answers of an interrupted conversation
            if f"decision.{item.id}" in self._kept.answers:
                chosen |= _changed([(item, self._choice(item))])
        key = f"section.{section}"
        while key not in self._kept.answers:
            text = self._typed(self._say("Is {section} right? [Y, or the number to change] ", section=section))
            if text.lower() in _YES:
                self._keep(key, "yes")
            elif text.isdecimal() and 1 <= int(text) <= len(mine):
                chosen |= _changed([(mine[int(text) - 1], self._choice(mine[int(text) - 1]))])
            else:
                self._tell(self._say("'{typed}' is neither yes nor one of the numbers", typed=text))
        return chosen

    def _number(self, key: str, question: str) -> float | None:
        default = self._before.get(key, "")
        shown = default or self._say("leave open")
        asked = self._say("{question}?", question=f"{question[:1].upper()}{question[1:]}")
        while key not in self._kept.answers:
            text = self._typed(f"{asked} [{shown}] ") or default
            if not text or _positive(text) is not None:
                self._keep(key, text)
            else:
                self._tell(self._say("'{typed}' is not a number above zero", typed=text))
        return _positive(self._kept.answers[key])

    def _choice(self, item: Decided) -> str:
        key = f"decision.{item.id}"
        question = next(question for question in questions() if question.id == item.id)
        names = [option.name for option in question.option]
        if key not in self._kept.answers:
            standing = self._before.get(key, item.option)
            default = names.index(standing) + 1 if standing in names else names.index(item.option) + 1
            self._tell(f"{question.section} {self._say(question.question)}")
            for number, option in enumerate(question.option, 1):
                gain, price = self._say(option.enables), self._say(option.constrains)
                self._tell(f"  {number} {self._say(option.name)}: {gain}; {self._say('but')} {price}")
            while key not in self._kept.answers:
                text = self._typed(self._say("Number [{default}] ", default=default)) or str(default)
                if text.isdecimal() and 1 <= int(text) <= len(names):
                    self._keep(key, names[int(text) - 1])
                else:
                    self._tell(self._say("'{typed}' is not one of the numbers", typed=text))
        kept = self._kept.answers[key]
        return kept if kept in names else item.option

    def _agrees(self, key: str, prompt: str) -> bool:
        while key not in self._kept.answers:
            text = self._typed(prompt).lower()
            if text in _NO:
                return False
            if text in _YES:
                self._keep(key, "yes")
            else:
                self._tell(self._say("'{typed}' is neither yes nor no", typed=text))
        return True

    def _typed(self, prompt: str) -> str:
        if self._ask is None:  # nobody can be asked: the default
            return ""
        return self._ask(prompt).strip()

    def _keep(self, key: str, answer: str) -> None:
        self._kept.answers[key] = answer
        self._save()

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path, msgspec.json.format(msgspec.json.encode(self._kept), indent=2) + b"\n")


def _changed(answers: Iterable[tuple[Decided, str]]) -> dict[str, str]:
    return {item.id: answer for item, answer in answers if answer != item.option or item.how == "default"}


def _positive(text: str) -> float | None:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if 0 < value < 1e15 else None


def _read(path: Path, system: str) -> _Kept:
    """The journal of this system; one that is broken or another system's is begun anew."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError, UnicodeError):
        return _Kept(system=system)
    return kept if kept.system == system else _Kept(system=system)


def given_answers(facts: Mapping[str, float], decisions: Mapping[str, str]) -> dict[str, Any]:
    """Answers in the form in which a design takes what was stated elsewhere."""
    whole = {name: int(value) if value == int(value) else value for name, value in facts.items()}
    return {**whole, **({"decisions": dict(decisions)} if decisions else {})}
