"""Settings by line: .env, .ini, .cfg, .properties, .toml, .conf and model configurations of servers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bluegold.design.scan.index import Index
from bluegold.design.scan.readers.addresses import scheme_of
from bluegold.design.scan.readers.prose import comment_signals
from bluegold.design.scan.signals import Signal
from bluegold.design.scan.source import SourceFile

__all__ = ["read_settings", "read_sql"]

_PAIR = re.compile(r"""\s{0,80}(?:export\s+)?["']?([\w.$-]{1,120})["']?\s{0,20}[=:]\s{0,20}(.{0,2000})""")


def read_settings(file: SourceFile, index: Index) -> Iterator[Signal]:
    """Signals of the ``key = value`` and ``key: value`` lines of a file."""
    texts = () if file.name.endswith(".toml") else tuple(text for text in index.texts if text in file.text)
    for number, line in enumerate(file.lines, 1):
        if line.lstrip().startswith(("#", ";", "//")):
            continue
        for text in texts:
            if text in line:
                yield Signal("text", text, number, f"text {text}")
        found = _PAIR.match(line)
        if not found:
            continue
        key, value = found[1], found[2].partition(" #")[0].strip().rstrip(",").strip("\"'")
        if key.isupper():
            yield Signal("env", key, number, f"variable {key}")
        yield Signal("setting", key, number, f"{key} = {value[:60]}" if "://" not in value else key, extra=value)
        scheme = scheme_of(value)
        if scheme:
            yield Signal("url", scheme, number, f"address {scheme}:")
    yield from comment_signals(file, index, ("#", ";"))


def read_sql(file: SourceFile, index: Index) -> Iterator[Signal]:
    """Signals of literal texts in SQL, for example an extension that is created."""
    for number, line in enumerate(file.lines, 1):
        if not line.lstrip().startswith("--"):
            for text in index.texts:
                if text in line:
                    yield Signal("text", text, number, f"text {text}")
