"""The index answers, for one signal, which detectors it speaks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from bluegold.design.scan.detector import Detector
from bluegold.design.scan.lookup import Lookup, PrefixLookup
from bluegold.design.scan.signals import Channel, Signal
from bluegold.design.scan.words import Vocabulary

__all__ = ["Index"]

Rows = tuple[Detector, ...]
#: a client library that carries the version of its service in its name is the same library
_VERSIONED = re.compile(r"(google\.cloud\.\w+?)_v\d\w*")
_END = r"\Z"
_FALLBACK = re.compile(r"\$\{\w{1,80}:?-([^}]{0,200})\}")


class CallSign(NamedTuple):
    """A call pattern taken apart: ``name(argument)`` or ``name(keyword=)``."""

    name: str
    argument: str
    keyword: str

    def fits(self, signal: Signal) -> bool:
        """Whether the call's first argument or keywords are what the pattern wants."""
        if self.keyword:
            return self.keyword in signal.keywords
        if self.argument.endswith("/"):
            return signal.extra.startswith(self.argument)
        return not self.argument or self.argument == signal.extra


class SettingSign(NamedTuple):
    """A setting pattern: the last parts of the key's path and what the value looks like."""

    tail: tuple[str, ...]
    value: re.Pattern[str]


class Index:
    """All detectors, arranged by what can show them.

    Args:
        detectors: the rows; later rows may repeat a technology with another kind.

    Example:
        >>> from bluegold.design.scan.detector import built_in
        >>> index = Index(built_in())
        >>> [row.technology for row in index.match(Signal("import", "ray.serve", 1))]
        ['ray-serve', 'ray']
    """

    def __init__(self, detectors: Iterable[Detector]) -> None:
        rows = tuple(detectors)
        self.detectors = rows
        self._imports = PrefixLookup((name, row) for row in rows for name in row.imports)
        self._foreign = PrefixLookup(((name, row) for row in rows for name in row.packages if ":" in name), "/")
        self._tables: dict[Channel, Lookup] = {
            "package": Lookup((name, row) for row in rows for name in row.packages),
            "image": Lookup((name, row) for row in rows for name in row.images),
            "chart": Lookup((name, row) for row in rows for name in row.charts),
            "resource": Lookup((name, row) for row in rows for name in row.resources),
            "url": Lookup((name, row) for row in rows for name in row.urls),
            "env": Lookup((name, row) for row in rows for name in row.env),
            "terraform": Lookup((name, row) for row in rows for name in row.terraform),
            "action": Lookup((name, row) for row in rows for name in row.actions),
            "command": Lookup((name, row) for row in rows for name in row.commands),
            "text": Lookup((name, row) for row in rows for name in row.texts),
            "mention": Lookup((f"{row.kind}/{row.technology}", row) for row in rows),
            "file": Lookup((f"{row.kind}/{row.technology}", row) for row in rows),
        }
        self._calls: dict[str, list[tuple[CallSign, Detector]]] = {}
        self._settings: dict[str, list[tuple[SettingSign, Detector]]] = {}
        for row in rows:
            for text in row.calls:
                sign = _call_sign(text)
                self._calls.setdefault(sign.name, []).append((sign, row))
            for text in row.settings:
                setting = _setting_sign(text)
                self._settings.setdefault(setting.tail[-1], []).append((setting, row))
        self.vocabulary = Vocabulary(rows)
        self.texts = tuple(sorted(self._tables["text"].names))
        self.commands = self._tables["command"].names
        self.settings = frozenset(self._settings)
        self.modules = self._imports.heads | {name.split(".")[0] for name in self._calls if name[0] != "."}
        self.methods = frozenset(name[1:] for name in self._calls if name[0] == ".")
        self._finders: dict[Channel, Callable[[Signal], Rows]] = {
            "import": lambda signal: self._imports.find(_VERSIONED.sub(r"\1", signal.value)),
            "foreign": lambda signal: self._foreign.find(signal.value),
            "call": self._call,
            "setting": self._setting,
            "image": self._image,
            "command": self._command,
        }

    @property
    def method_signs(self) -> tuple[str, str]:
        """Expressions for the methods that show something with a text as argument only, and for the others."""
        told = {name[1:] for name, signs in self._calls.items() if all(sign.argument for sign, _ in signs)}
        bare = self.methods - told
        return _any_of(told & self.methods), _any_of(bare)

    @property
    def keyword_signs(self) -> str:
        """An expression for keywords of calls, with their text, that are settings."""
        signs = [sign for pairs in self._settings.values() for sign, _ in pairs if len(sign.tail) == 1]
        found = {
            rf"{re.escape(sign.tail[0])}\s*=\s*[\"']{sign.value.pattern.removesuffix(chr(92) + 'Z')}" for sign in signs
        }
        return "|".join(sorted(found)) or "(?!)"

    def match(self, signal: Signal) -> Rows:
        """The detectors that a signal speaks for, none when it says nothing to anyone."""
        finder = self._finders.get(signal.channel)
        if finder:
            return finder(signal)
        table = self._tables.get(signal.channel)
        return table.find(signal.value) if table else ()

    def _call(self, signal: Signal) -> Rows:
        name = _VERSIONED.sub(r"\1", signal.value)
        found = list(self._imports.find(name)) if name[0] != "." else []
        for candidate in _call_names(name):
            for sign, row in self._calls.get(candidate, ()):
                exact = candidate == name or candidate[0] == "."
                if sign.fits(signal) and (exact or not (sign.argument or sign.keyword)):
                    found.append(row)
        return tuple(dict.fromkeys(found))

    def _setting(self, signal: Signal) -> Rows:
        path = tuple(signal.value.split("."))
        return tuple(
            row
            for sign, row in self._settings.get(path[-1], ())
            if path[-len(sign.tail) :] == sign.tail and sign.value.match(signal.extra)
        )

    def _image(self, signal: Signal) -> Rows:
        table = self._tables["image"]
        return tuple(dict.fromkeys(row for name in _image_names(signal.value) for row in table.find(name)))

    def _command(self, signal: Signal) -> Rows:
        table = self._tables["command"]
        words = signal.value.split()
        return table.find(" ".join(words[:2])) or table.find(words[0]) if words else ()


def _any_of(names: frozenset[str] | set[str]) -> str:
    return "|".join(sorted(map(re.escape, names))) or "(?!)"


def _call_sign(text: str) -> CallSign:
    name, _, inside = text.removesuffix(")").partition("(")
    if inside.endswith("="):
        return CallSign(name, "", inside[:-1])
    return CallSign(name, inside, "")


def _setting_sign(text: str) -> SettingSign:
    path, _, value = text.partition("=")
    pattern = "".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", value))
    return SettingSign(tuple(path.split(".")), re.compile(pattern + _END))


def _call_names(name: str) -> Iterator[str]:
    """The name itself, its prefixes, and its last part as a method."""
    parts = name.lstrip(".").split(".")[:12]
    if name[0] != ".":
        for end in range(len(parts), 0, -1):
            yield ".".join(parts[:end])
    yield "." + parts[-1]


def _image_names(image: str) -> Iterator[str]:
    """An image without tag or digest: as written, and without its registry host."""
    name = _FALLBACK.sub(r"\1", image.strip().strip("\"'")).partition("@")[0]
    if name.startswith("$") and "/" in name:
        name = name.partition("/")[2]  # a registry host behind a variable
    head, slash, last = name.rpartition("/")
    name = head + slash + last.partition(":")[0]
    if not name or "$" in name or "{" in name or " " in name:
        return
    yield name
    host, slash, rest = name.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        yield rest.removeprefix("library/")
    elif name.startswith("library/"):
        yield rest
