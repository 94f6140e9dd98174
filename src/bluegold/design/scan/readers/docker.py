"""Dockerfiles: base images, build commands, variables and the command that runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from bluegold.design.scan.readers.addresses import scheme_of
from bluegold.design.scan.readers.scripts import here_documents
from bluegold.design.scan.readers.shell import command_signals, joined
from bluegold.design.scan.signals import Signal
from bluegold.design.scan.source import SourceFile

__all__ = ["read_dockerfile"]

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)")


def read_dockerfile(file: SourceFile) -> Iterator[Signal]:
    """Signals of a Dockerfile; images named through a build argument are read with its default."""
    arguments: dict[str, str] = {}
    lines, documents = here_documents(file.lines)
    for document in documents:
        if document.command.split(" ")[0].upper() == "RUN":
            for number, text in joined(document.body):
                yield from command_signals(text, number + document.line - 1)
    for number, text in joined(lines):
        word, _, rest = text.strip().partition(" ")
        instruction, rest = word.upper(), rest.strip()
        if instruction == "ARG":
            name, _, value = rest.partition("=")
            arguments[name.strip()] = value.strip("\"' ")
        elif instruction == "FROM":
            image = _filled(next((part for part in rest.split() if not part.startswith("--")), ""), arguments)
            yield Signal("image", image, number, f"image {image}")
        elif instruction == "COPY" and rest.startswith("--from="):
            image = rest.removeprefix("--from=").split(" ")[0]
            if "/" in image:
                yield Signal("image", image, number, f"image {image}")
        elif instruction == "ENV":
            yield from _variables(rest, number)
        elif instruction == "RUN":
            yield from command_signals(re.sub(r"--mount=\S+\s*", "", _shell(rest)), number)
        elif instruction in {"CMD", "ENTRYPOINT"}:
            yield from command_signals(_shell(rest), number, "deployment")


def _filled(image: str, arguments: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda found: arguments.get(found[1] or found[3]) or found[2] or "$", image)


def _shell(text: str) -> str:
    """The words of an exec form as one line, a shell form as it is."""
    if text.startswith("["):
        try:
            words = json.loads(text)
        except (ValueError, RecursionError):
            return text
        if isinstance(words, list):
            plain = [str(word) for word in words]
            return plain[2] if len(plain) == 3 and plain[1] in {"-c", "-lc"} else " ".join(plain)
    return text


def _variables(text: str, number: int) -> Iterator[Signal]:
    pairs = re.findall(r"(\w+)=(\S*)", text) or [tuple(text.partition(" ")[::2])]
    for name, value in pairs:
        yield Signal("env", name, number, f"variable {name}")
        scheme = scheme_of(value.strip("\"'"))
        if scheme:
            yield Signal("url", scheme, number, f"address {scheme}:")
