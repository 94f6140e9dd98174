"""Secrets: values beside a telling name, or of a telling form; what is found is never repeated anywhere."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from bluegold.design.scan.readers.skim import long_texts
from bluegold.design.scan.source import SourceFile
from bluegold.design.understand.activities import Place
from bluegold.design.understand.risks.view import View

__all__ = ["find", "randomness"]

_NAMES = (
    r"(?:pass(?:word|wd|phrase)|secret|token|api_?key|access_?key(?:_id)?|secret_?key|private_?key|auth_?key"
    r"|credentials?|account_?key|(?:fernet|encryption|signing|session|hmac)_?key)"
)
_QUOTED = re.compile(
    rf"""(?i)["']?([\w.-]{{0,60}}{_NAMES})["']?\s*(?::\s*\w+\s*)?[:=]\s*(?:Field\(\s*(?:default\s*=\s*)?)?["']([^"'\s]{{6,400}})["']"""
)
_BARE = re.compile(
    rf"""(?i)\s*(?:export\s+|-\s*|ENV\s+|ARG\s+)?([\w.-]{{0,60}}{_NAMES})\s*[:=]\s*([^\s"'#,]{{6,400}})\s*(?:#.*)?"""
)
_FORMS = (
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})\b")),
    ("a Slack token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    ("a Google API key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{30,}\b")),
    ("an OpenAI key", re.compile(r"\bsk-(?:proj-)?[A-Za-z0-9_-]{32,}\b")),
    ("a private key", re.compile(r"-----BEGIN (?:RSA |EC |OPENSSH |DSA )?PRIVATE KEY-----")),
)
_ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]{1,30})://([^\s:/@\"'{}$<>]{1,80}):([^\s/@\"'{}$<>]{3,120})@[\w.-]+")
_PLACEHOLDER = re.compile(
    r"(?i).*(example|default|your|change_?me|placeholder|dummy|sample|xxx|<|>|\{\{|\$\{?|%\(|\.\.\.|\*\*\*|redacted|insert|todo|replace|none|null|true|false"
    r"|getenv|environ|secrets\.|vault|/run/secrets|file://).*"
)
#: keys that their makers mean to be seen, in pages and programs that everybody reads
_PUBLIC = re.compile(r"(?:phc_|pk_(?:live|test)_|sb_publishable_|pk\.eyJ)[\w.-]{10,}")
_GENERIC = frozenset({"secret", "password", "passwd", "pass", "pwd", "pw", "token"})
_LIKELY = re.compile(
    rf"(?i){_NAMES}|://[^\s/@]{{1,80}}:[^\s/@]{{3,120}}@|AKIA|ASIA|gh[pousr]_|xox|AIza|hf_|sk-|PRIVATE KEY"
)
#: one of these stands in every text that _LIKELY fits; looking for them is much cheaper
_WORDS = (
    *("passw", "passp", "secret", "token", "credential", "://", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    *("github_pat", "xox", "aiza", "hf_", "sk-", "private key"),
    *(
        f"{word}{dash}key"
        for word in (
            "api",
            "access",
            "private",
            "auth",
            "account",
            *("fernet", "encryption", "signing", "session", "hmac"),
        )
        for dash in ("", "_")
    ),
)
_CALL = re.compile(r"[\w.]+\(.*|[A-Za-z_][\w]*(\.[A-Za-z_]\w*)+|[\w.]+:\w+|/.*|\[[A-Z]+\]")


def find(view: View) -> tuple[Place, ...]:
    """Where secrets stand: the name beside them and the file, never the value."""
    found: list[Place] = []
    for file in view.sources.texts:
        found += list(_in(file))[:20]
    return tuple(found)


def _in(file: SourceFile) -> Iterator[Place]:
    lower = file.text.lower()
    if not any(word in lower for word in _WORDS):
        return
    bare = not file.name.endswith((".py", ".json", ".ipynb"))
    told = _told(file.text) if file.name.endswith(".py") else []
    number, at = 1, 0
    seen = 0
    for found in _LIKELY.finditer(file.text):
        number, at = number + file.text.count("\n", at, found.start()), found.start()
        inside = any(start < at < end for start, end in told)
        said = _said(file.lines[number - 1], bare=bare, told=inside) if number != seen else ""
        seen = number
        if said:
            yield Place(path=file.path, line=number, shows=said)


def _told(text: str) -> list[tuple[int, int]]:
    """Where texts of several lines stand in Python: documents and samples of code, which only tell."""
    return [(start, start + len(piece)) for start, piece in long_texts(text) if "\n" in piece]


def _said(line: str, *, bare: bool, told: bool = False) -> str:
    """What a line gives away, in words that do not repeat it; in a text that tells, only what nobody makes up."""
    for form, pattern in _FORMS:
        found = pattern.search(line)
        if found and not _PLACEHOLDER.fullmatch(found[0]):
            return form
    if told:
        return ""
    address = _ADDRESS.search(line)
    if (
        address
        and address[2] != address[3]
        and not line.lstrip().startswith(">>>")
        and not _PLACEHOLDER.fullmatch(address[3])
        and address[3].lower() not in _GENERIC
    ):
        return f"a password in an address of {address[1].partition('+')[0]}"
    named = _QUOTED.search(line) or (_BARE.fullmatch(line) if bare else None)
    if named and not line.lstrip().startswith(("#", ">>>")) and _secret(named[1], named[2]):
        return f"a value beside '{named[1].strip('.-')[-40:]}'"
    return ""


def _secret(name: str, value: str) -> bool:
    """Whether a value looks chosen by chance, or stands where only a password stands."""
    if (
        _PUBLIC.fullmatch(value)
        or _PLACEHOLDER.fullmatch(value)
        or _CALL.fullmatch(value)
        or value.lower() == name.lower()
    ):
        return False
    if re.search(r"(?i)pass(word|wd|phrase)$", name):
        return len(set(value)) > 3
    return len(value) >= 12 and randomness(value) >= 3.0 and bool(re.search(r"\d", value))


def randomness(value: str) -> float:
    """Bits of information a character, from how often each occurs.

    Example:
        >>> randomness("aaaa"), randomness("abcd")
        (0.0, 2.0)
    """
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values()) + 0.0
