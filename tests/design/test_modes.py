"""Modes: who is asked, what is taken where nobody can be, and how an interrupted conversation goes on."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegold.core.errors import DeliveryError, UsageError
from bluegold.core.plan import Plan
from bluegold.design.decide import decide, missing
from bluegold.design.facts import gather
from bluegold.design.modes import JOURNAL, MODES, Conversation, Mode, given_answers, mode_of
from bluegold.design.words import Words

FACTS = gather(Plan(system="late"), None, ())


class Typist:
    """Types prepared lines; Ctrl-C where a line is None."""

    def __init__(self, *lines: str | None) -> None:
        self._lines = list(lines)
        self.prompts: list[str] = []
        self.told: list[str] = []

    def ask(self, prompt: str) -> str:
        self.prompts.append(prompt)
        line = self._lines.pop(0) if self._lines else ""
        if line is None:
            raise KeyboardInterrupt
        return line + "\n"

    def talk(self, mode: Mode, folder: Path, *, lang: str = "en", alone: bool = False) -> Conversation:
        ask = None if alone else self.ask
        say = Words("es" if lang == "es" else "en").say
        return Conversation("late", mode, ask=ask, tell=self.told.append, say=say, folder=folder)


@pytest.mark.parametrize(("mode", "spelling"), [(mode, word) for mode, words in MODES.items() for word in words])
def test_both_spellings_name_a_mode(mode: str, spelling: str) -> None:
    assert mode_of(spelling.upper()) == mode


def test_an_unknown_mode_is_named() -> None:
    with pytest.raises(UsageError, match="no mode 'rapido'"):
        mode_of("rapido")


def test_autopilot_asks_for_what_would_change_a_decision(tmp_path: Path) -> None:
    names = missing(FACTS)
    assert "latency_ms" in names
    typist = Typist("soon", "-1", "40")
    talk = typist.talk("autopilot", tmp_path)
    answers = talk.facts(names)
    assert answers == {"latency_ms": 40.0}
    assert sum("is not a number above zero" in line for line in typist.told) == 2
    before = {item.id: item.option for item in decide(FACTS)}
    after = decide(gather(Plan(system="late"), None, (), given=given_answers(answers, {})))
    assert before["topology"] != next(item.option for item in after if item.id == "topology")
    asked = len(typist.prompts)
    talk.checkpoint("after the scan", ["never shown"])
    assert len(typist.prompts) == asked


def test_a_key_decision_shows_its_default_and_takes_a_number(tmp_path: Path) -> None:
    typist = Typist("9", "2")
    decided = [item for item in decide(FACTS) if item.id == "orchestration"]
    chosen = typist.talk("autopilot", tmp_path).decisions(decided)
    assert typist.prompts[0] == "Number [1] "
    assert "'9' is not one of the numbers" in typist.told[-1]
    question = json.loads((tmp_path / JOURNAL).read_text())["answers"]["decision.orchestration"]
    assert chosen == {"orchestration": question}
    stated = decide(gather(Plan(system="late"), None, (), given=given_answers({}, chosen)))
    made = next(item for item in stated if item.id == "orchestration")
    assert (made.option, made.how) == (question, "explicit")
    assert made.place == "command line: orchestration"


@pytest.mark.parametrize("mode", ["autopilot", "supervised", "step-by-step", "unattended"])
def test_where_nobody_can_be_asked_the_default_is_taken_and_said(mode: Mode, tmp_path: Path) -> None:
    typist = Typist()
    talk = typist.talk(mode, tmp_path, alone=True)
    assert talk.facts(("latency_ms",)) == {}
    assert talk.decisions(decide(FACTS)) == {}
    talk.checkpoint("after the scan", ["x"])
    talk.finish()
    said = " ".join(typist.told)
    assert ("nobody can be asked here" in said) is (mode != "unattended")
    assert not (tmp_path / JOURNAL).exists()


def test_an_interrupted_conversation_goes_on(tmp_path: Path) -> None:
    names = ("latency_ms", "teams", "models")
    with pytest.raises(KeyboardInterrupt):
        Typist("40", None).talk("autopilot", tmp_path).facts(names)
    typist = Typist("3", "")
    talk = typist.talk("autopilot", tmp_path)
    assert "1 answers are kept" in typist.told[0]
    assert talk.facts(names) == {"latency_ms": 40.0, "teams": 3.0}
    assert len(typist.prompts) == 2
    talk.finish()
    again = Typist("", "4", "")
    assert again.talk("autopilot", tmp_path).facts(names) == {"latency_ms": 40.0, "teams": 4.0}
    assert "[40]" in again.prompts[0]


def test_supervised_stops_where_it_is_not_approved(tmp_path: Path) -> None:
    typist = Typist("perhaps", "y", "n")
    talk = typist.talk("supervised", tmp_path)
    talk.checkpoint("after the scan", ["S1 airflow"])
    with pytest.raises(DeliveryError, match="stopped after the decisions"):
        talk.checkpoint("after the decisions", [])
    again = Typist("y")
    talk = again.talk("supervised", tmp_path)
    talk.checkpoint("after the scan", [])
    talk.checkpoint("after the decisions", [])
    assert len(again.prompts) == 1


def test_step_by_step_confirms_every_section_and_takes_changes(tmp_path: Path) -> None:
    typist = Typist("2", "2", "y", "what", "")
    chosen = typist.talk("step-by-step", tmp_path).decisions(decide(FACTS))
    assert set(chosen) == {"orchestration"}
    assert [line for line in typist.told if line.startswith("S6 ")]
    assert any("'what' is neither yes nor one of the numbers" in line for line in typist.told)
    kept = json.loads((tmp_path / JOURNAL).read_text())["answers"]
    assert {f"section.S{n}" for n in range(1, 7)} <= set(kept)


def test_a_broken_journal_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_text("{")
    assert Typist("5").talk("autopilot", tmp_path).facts(("teams",)) == {"teams": 5.0}


class Terminal:
    """`bluegold design` at a pseudo-terminal."""

    def __init__(self, *words: str, folder: Path) -> None:
        self._master, slave = pty.openpty()
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may ignore it
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bluegold", "design", *words],
            stdin=slave,
            stderr=slave,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            env={**os.environ, "BLUEGOLD_WORKSPACE": str(folder / "none")},
            start_new_session=True,
        )
        signal.signal(signal.SIGINT, before)
        os.close(slave)
        self.seen = ""

    def until(self, text: str) -> None:
        """Read what the terminal shows until a text stands there."""
        start = len(self.seen)
        ends = time.monotonic() + 60
        while text not in self.seen[start:]:
            assert time.monotonic() < ends, f"'{text}' never came: {self.seen[-500:]}"
            if select.select([self._master], [], [], 0.5)[0]:
                self.seen += os.read(self._master, 65536).decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self._master, f"{text}\n".encode())

    def interrupt(self) -> int:
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(30)
        finally:
            self.close()

    def close(self) -> None:
        self._process.kill()
        self._process.wait(30)
        os.close(self._master)

    def drain(self) -> Iterator[None]:
        """What it shows until it ends, or two minutes have gone."""
        ends = time.monotonic() + 120
        while self._process.poll() is None and time.monotonic() < ends:
            if select.select([self._master], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self._master, 65536).decode(errors="replace")
                except OSError:  # nobody has the other end of the terminal open any more
                    self._process.wait(30)
                    return
                yield


def test_at_a_terminal(tmp_path: Path) -> None:
    """Asked in Spanish, stopped with Ctrl-C, gone on with; stdout stays the result's."""
    words = ("late", "--modo", "piloto-auto", "--lang", "es", "--out", "o", "--json")
    first = Terminal(*words, folder=tmp_path)
    first.until("[")
    first.type("40")
    first.until("] ")
    assert first.interrupt() == 130
    assert json.loads((tmp_path / "o" / JOURNAL).read_text())["answers"]["fact.latency_ms"] == "40"
    second = Terminal(*words, folder=tmp_path)
    for _ in second.drain():
        second.type("")
    second.close()
    assert "[Y/n]" not in second.seen
    packet = json.loads((tmp_path / "o" / "architecture.json").read_text())
    assert packet["system"]["name"] == "late"
    assert "40" in (tmp_path / "o" / "A-02_AI_Pipeline_Architecture_Deep.md").read_text()
    assert json.loads((tmp_path / "o" / JOURNAL).read_text())["finished"] is True
