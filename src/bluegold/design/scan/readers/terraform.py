"""Terraform: resource types, providers, charts, images and engines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bluegold.design.scan.index import Index
from bluegold.design.scan.readers.addresses import scheme_of
from bluegold.design.scan.readers.prose import comment_signals
from bluegold.design.scan.signals import Signal
from bluegold.design.scan.source import SourceFile

__all__ = ["read_terraform"]

_RESOURCE = re.compile(r'\s{0,40}(?:resource|data)\s+"([a-z0-9_]{3,80})"')
_ATTRIBUTE = re.compile(r'\s{0,80}"?([A-Za-z_]\w{0,60})"?\s{0,20}[=:]\s{0,20}"([^"]{1,400})"')


def read_terraform(file: SourceFile, index: Index) -> Iterator[Signal]:
    """Signals of one Terraform file; what is commented out is at most mentioned."""
    inside = False
    for number, line in enumerate(file.lines, 1):
        text = line.strip()
        if inside or text.startswith("/*"):
            inside = "*/" not in text
            continue
        if text.startswith(("#", "//")):
            continue
        found = _RESOURCE.match(line)
        if found:
            yield Signal("terraform", found[1], number, f"resource {found[1]}")
        for found in _ATTRIBUTE.finditer(line):
            yield from _attribute(found[1], found[2], number)
    yield from comment_signals(file, index, ("#", "//"))


def _attribute(key: str, value: str, number: int) -> Iterator[Signal]:
    if key in {"image", "container_image", "image_uri"}:
        yield Signal("image", value, number, f"image {value}")
    elif key == "chart":
        yield Signal("chart", value.rpartition("/")[2], number, f"chart {value}")
    elif key.isupper() or (key == "name" and value.isupper()):
        name = key if key.isupper() else value
        yield Signal("env", name, number, f"variable {name[:80]}")
    else:
        yield Signal("setting", key, number, f"{key} = {value[:60]}", extra=value, evidence="deployment")
    scheme = scheme_of(value)
    if scheme:
        yield Signal("url", scheme, number, f"address {scheme}:")
