"""Names of packages, as the indexes write them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bluegold.design.scan.signals import Signal

__all__ = ["class_named", "package_signals"]

_CLASS = re.compile(r"([A-Za-z_]\w{0,60})(?:\.[A-Za-z_]\w{0,60}){1,8}\.[A-Z]\w{1,60}")
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]{0,200})\])?")


def package_signals(requirement: str, line: int) -> Iterator[Signal]:
    """The package a requirement names, and one signal for each extra.

    Example:
        >>> [signal.value for signal in package_signals("Ray[Serve,tune] >= 2.9; python_version > '3.8'", 1)]
        ['ray', 'ray[serve]', 'ray[tune]']
    """
    found = _REQUIREMENT.match(requirement)
    if not found:
        return
    name = re.sub(r"[-_.]+", "-", found[1]).lower()
    yield Signal("package", name, line, f"package {found[1]}")
    for extra in (found[2] or "").split(","):
        if extra.strip():
            yield Signal("package", f"{name}[{extra.strip().lower()}]", line, f"package {found[1]}[{extra.strip()}]")


def class_named(text: str) -> str:
    """The package of a class that a text names by its dotted path, to be loaded by that name; empty for others.

    Example:
        >>> class_named("storages.backends.s3boto3.S3Boto3Storage"), class_named("torch.nn"), class_named("a.B and c.D")
        ('storages', '', '')
    """
    found = _CLASS.fullmatch(text) if len(text) < 300 else None
    return found[1] if found else ""
