"""Shell scripts: what runs, told apart from what is only listed, named or written to another file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from bluegold.design.scan.readers.shell import command_signals, joined
from bluegold.design.scan.readers.yaml_files import resource_signals
from bluegold.design.scan.readers.yaml_lines import yaml_lines
from bluegold.design.scan.signals import Signal
from bluegold.design.scan.source import SourceFile

__all__ = ["Here", "here_documents", "read_script"]

_HERE = re.compile(r"<<-?\s{0,9}(['\"]?)([A-Za-z_]\w{0,40})\1")
_ARRAY = re.compile(r"\s{0,80}(?:(?:declare|local|readonly|export|typeset)\s[^=]{0,40})?[A-Za-z_]\w{0,60}\+?=\(")
_LABEL = re.compile(r"\s{0,80}\(?[^()\s;&]{1,80}(?:\s?\|\s?[^()\s;&]{1,80}){0,20}\)\s{0,80}")
_FUNCTION = re.compile(r"\s{0,80}(?:function\s+[\w:.-]{1,80}(?:\s{0,9}\(\))?|[\w:.-]{1,80}\s{0,9}\(\))\s{0,9}\{?")
_CASE = re.compile(r"\bcase\b.{1,200}\bin\s*$")
_RUNS = re.compile(r"(?:^|[\s;&|])(?:bash|sh|zsh|ssh)\b")
_APPLIES = re.compile(r"\b(?:kubectl|oc)\b.{0,80}\b(?:apply|create)\b")


class Here(NamedTuple):
    """A here-document: the command that reads it, the number of its first line, its lines."""

    command: str
    line: int
    body: list[str]


def here_documents(lines: list[str]) -> tuple[list[str], list[Here]]:
    """The lines with here-documents emptied, and the here-documents.

    Example:
        >>> here_documents(["cat <<EOF > a", "mlflow server", "EOF", "ls"])[0]
        ['cat <<EOF > a', '', '', 'ls']
    """
    kept: list[str] = []
    found: list[Here] = []
    ending = ""
    for number, line in enumerate(lines, 1):
        if ending:
            kept.append("")
            if line.strip() == ending:
                ending = ""
            else:
                found[-1].body.append(line)
            continue
        kept.append(line)
        opened = None if line.lstrip().startswith("#") or "<<<" in line else _HERE.search(line)
        if opened:
            ending = opened[2]
            found.append(Here(line, number + 1, []))
    return kept, found


def read_script(file: SourceFile) -> Iterator[Signal]:
    """Signals of a shell script, a Procfile or a justfile."""
    procfile = file.name == "Procfile"
    lines, documents = here_documents(file.lines)
    for number, text in _statements(lines):
        yield from command_signals(text.partition(":")[2] if procfile else text, number)
    for document in documents:
        if _APPLIES.search(document.command):
            for signal in resource_signals(list(yaml_lines(document.body))):
                yield signal._replace(line=signal.line + document.line - 1)
        elif _RUNS.search(document.command):
            for number, text in _statements(document.body):
                yield from command_signals(text, number + document.line - 1)


def _statements(lines: list[str]) -> Iterator[tuple[int, str]]:
    """The lines that run: without the items of arrays, the labels of cases and the names of functions."""
    listing = False
    cases = 0
    for number, text in joined(lines):
        if listing:
            listing = ")" not in text
            continue
        if _ARRAY.match(text):
            listing = text.count("(") > text.count(")")
            continue
        words = text.strip()
        if words.startswith("esac"):
            cases = max(cases - 1, 0)
            continue
        label = _LABEL.match(text) if cases else None
        name = None if label else _FUNCTION.match(text)
        rest = text[label.end() :] if label else text[name.end() :] if name else text
        cases += bool(_CASE.search(rest))
        yield number, rest
