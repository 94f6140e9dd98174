"""Command lines: scripts, Makefiles, Procfiles, and the commands inside container and CI files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bluegold.design.scan.readers.addresses import scheme_of
from bluegold.design.scan.readers.names import package_signals
from bluegold.design.scan.signals import EvidenceKind, Signal
from bluegold.design.scan.source import SourceFile

__all__ = ["command_signals", "joined", "read_groovy", "read_makefile", "remote_manifest"]

_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|&&|\|\||[;|&()]|[^\s;|&()'\"]+|['\"]")
_MAKE_VARIABLE = re.compile(r"(?:export\s{1,9})?([A-Z][A-Z0-9_]{2,60})\s{0,9}[:?+]?=")
_BREAKS = frozenset({"&&", "||", ";", "|", "&", "(", ")"})
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_PREFIXES = frozenset(
    [
        *("sudo", "exec", "time", "nohup", "env", "command", "then", "do", "else", "if", "while"),
        *("until", "!", "{", "tini", "dumb-init", "--", "set", "xvfb-run", "-", "@", "+", "ENTRYPOINT"),
        *(
            "CMD",
            "call",
        ),
    ]
)
_RUNNERS = frozenset({"poetry", "uv", "pipenv", "pdm", "hatch", "rye", "conda", "mamba", "micromamba"})
_VALUE_FLAGS = frozenset({"-n", "--name", "-p", "--prefix", "--with", "--python", "--env-file", "-e", "--extra"})
_FLAGS_ALONE = frozenset({"-d", "-i", "-t", "-it", "-ti", "-P", "--rm", "--detach", "--init", "--privileged", "--tty"})
_PYTHON = re.compile(r"(?:.*/)?python[0-9.]*")
_STEP = re.compile(r"""\b(?:sh|bat)\b[^'"]{0,40}(\'\'\'|\"\"\"|'|")(.*)""")
_AGENT = re.compile(r"""\bimage\s{0,9}[:(]?\s{0,9}['"]([^'"\s]{1,200})['"]""")
_REMOTE = re.compile(r"github(?:usercontent)?\.com[/:]([\w.-]{1,80})/([\w.-]{1,80})")
_INSTALL_WORDS = frozenset({"install", "add"})
_PYPI_TOOLS = frozenset({"pip", "pip3", "uv", "poetry", "pdm", "pipenv", "conda", "mamba", "micromamba", "pipx"})
_NPM_TOOLS = frozenset({"npm", "yarn", "pnpm"})
#: options of package installers that are followed by a value, which is no package
_TAKES_A_VALUE = frozenset(
    {"-r", "-c", "-f", "-i", "-n"}
    | {
        f"--{name}"
        for name in (
            "index-url",
            "extra-index-url",
            "target",
        )
    }
)


def command_signals(text: str, line: int, evidence: EvidenceKind | None = None) -> Iterator[Signal]:
    """What one shell line runs, installs, pulls or points to.

    Args:
        text: the line; several commands may be joined.
        line: its number.
        evidence: what a command is evidence of (default: a call).

    Example:
        >>> [signal.value for signal in command_signals("cd app && poetry run mlflow server -p 5000", 1)]
        ['cd app', 'mlflow server']
        >>> [signal.value for signal in command_signals("pip install 'xgboost==2.0' && echo mlflow", 1)]
        ['pip install', 'xgboost', 'echo mlflow']
    """
    text = text.partition(" #")[0] if not text.lstrip().startswith("#") else ""
    words: list[str] = []
    for token in [*_TOKEN.findall(text), ";"]:
        if token in _BREAKS:
            if words:
                yield from _one(words, line, evidence)
            words = []
        else:
            words.append(token[1:-1] if len(token) > 1 and token[0] in "'\"" else token)


def _one(words: list[str], line: int, evidence: EvidenceKind | None) -> Iterator[Signal]:
    yield from _assignments(words, line)
    words = _strip(words)
    if not words:
        return
    if _PYTHON.fullmatch(words[0]):
        if "-m" not in words[:3]:
            return
        words = words[words.index("-m") + 1 :]
        if not words:
            return
        if words[0] != "pip":
            module = words[0]
            yield Signal("import", module, line, f"python -m {module}", evidence=evidence or "call")
    program = words[0].rpartition("/")[2]
    shown = " ".join((program, *(word for word in words[1:2] if not word.startswith("-"))))
    yield Signal("command", shown, line, f"command {shown}", evidence=evidence)
    yield from _installs(program, words, line)
    yield from _containers(program, words, line)


def _assignments(words: list[str], line: int) -> Iterator[Signal]:
    for word in words:
        found = _ASSIGNMENT.fullmatch(word)
        name, value = (found[1], found[2]) if found else ("", word.partition("=")[2] or word)
        if name.isupper():
            yield Signal("env", name, line, f"variable {name}")
        scheme = scheme_of(value.strip("\"'"))
        if scheme:
            yield Signal("url", scheme, line, f"address {scheme}://")


def _strip(words: list[str]) -> list[str]:
    """The words without what only wraps the command: variables, sudo, poetry run and the like."""
    rest = list(words)
    while rest:
        head = rest[0].lstrip("@-+") or rest[0]
        if head in _PREFIXES or _ASSIGNMENT.fullmatch(head):
            rest = rest[1:]
        elif head in _RUNNERS and "run" in rest[1:2]:
            rest = rest[2:]
            while rest and rest[0].startswith("-"):
                rest = rest[2:] if rest[0] in _VALUE_FLAGS else rest[1:]
        else:
            return [head, *rest[1:]]
    return []


def _installs(program: str, words: list[str], line: int) -> Iterator[Signal]:
    at = next((i for i, word in enumerate(words[:4]) if word in _INSTALL_WORDS), 0)
    if not at or program not in _PYPI_TOOLS | _NPM_TOOLS:
        return
    skip = False
    for word in words[at + 1 :]:
        if skip or word.startswith("-"):
            skip = not skip and word in _TAKES_A_VALUE
            continue
        if program in _NPM_TOOLS:
            name = word if word.startswith("@") else word.partition("@")[0]
            yield Signal("package", f"npm:{name}", line, f"package {name}")
        elif word[0].isalpha():
            yield from package_signals(word, line)


def _containers(program: str, words: list[str], line: int) -> Iterator[Signal]:
    if program in {"docker", "podman"} and words[1:2] and words[1] in {"run", "pull"}:
        rest = words[2:]
        while rest and rest[0].startswith("-"):
            rest = rest[1:] if "=" in rest[0] or rest[0] in _FLAGS_ALONE else rest[2:]
        if rest:
            yield Signal("image", rest[0], line, f"image {rest[0]}")
    elif program in {"kubectl", "oc", "kustomize"} and {"apply", "create", "build"} & set(words[:3]):
        for word in words[2:]:
            yield from remote_manifest(word, line)
    elif program == "helm":
        for word in words[1:]:
            if "/" in word and not word.startswith(("-", ".", "/")):
                yield Signal("chart", word.rpartition("/")[2], line, f"chart {word}")


def remote_manifest(address: str, line: int) -> Iterator[Signal]:
    """What an applied manifest of a public repository installs: the repository's owner and name say it.

    Example:
        >>> [found.value for found in remote_manifest("https://github.com/kserve/kserve/releases/download/x.yaml", 1)]
        ['kserve']
    """
    found = _REMOTE.search(address)
    if found:
        for name in dict.fromkeys((found[1].lower(), found[2].lower().removesuffix(".git"))):
            yield Signal("chart", name, line, f"manifest of {found[1]}/{found[2]}")


def read_makefile(file: SourceFile) -> Iterator[Signal]:
    """Signals of a Makefile: recipe lines are commands, the rest may set variables."""
    for number, text in joined(file.lines):
        if text.startswith("\t"):
            yield from command_signals(text.strip(), number)
        elif found := _MAKE_VARIABLE.match(text):
            yield Signal("env", found[1], number, f"variable {found[1]}")


def read_groovy(file: SourceFile) -> Iterator[Signal]:
    """Signals of a Jenkinsfile: the commands of its shell steps, the images of its agents."""
    block = ""
    for number, line in enumerate(file.lines, 1):
        text = line.strip()
        if text.startswith(("//", "*", "/*")):
            continue
        if block:
            yield from command_signals(text.partition(block)[0], number)
            block = "" if block in text else block
            continue
        step = _STEP.search(text)
        if step:
            yield from command_signals(step[2].partition(step[1])[0], number)
            block = step[1] if len(step[1]) == 3 and step[1] not in step[2] else ""
        image = _AGENT.search(text)
        if image:
            yield Signal("image", image[1], number, f"image {image[1]}", scope="test")


def joined(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Lines with their continuation (a closing backslash) as one, under the number of the first."""
    held, start = "", 0
    for number, text in enumerate(lines, 1):
        if not held:
            start = number
        if text.lstrip().startswith("#"):
            continue
        if text.rstrip().endswith("\\") and len(held) < 20_000:
            held += text.rstrip()[:-1] + " "
            continue
        yield start, held + text
        held = ""
    if held:
        yield start, held
