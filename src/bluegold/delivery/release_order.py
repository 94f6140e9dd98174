"""The order of Python release versions: epoch, numbers, development and pre-releases before, post-releases after.

Source: PEP 440, *Version Identification and Dependency Specification*, section "Summary of permitted suffixes and
relative ordering".  A local label (``+cu118``) does not count, because advisories speak of public releases.
"""

from __future__ import annotations

import re

__all__ = ["Order", "order"]

Order = tuple[int, tuple[int, ...], tuple[int, int], int, int]

_FORM = re.compile(
    r"v?(?:(?P<epoch>\d+)!)?(?P<numbers>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<stage>alpha|beta|preview|pre|rc|a|b|c)[-_.]?(?P<early>\d*))?"
    r"(?:-(?P<plain>\d+)|[-_.]?(?P<post>post|rev|r)[-_.]?(?P<later>\d*))?"
    r"(?:[-_.]?(?P<dev>dev)[-_.]?(?P<day>\d*))?"
)
_STAGES = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}
_FINAL, _NONE = (3, 0), 1 << 60


def order(version: str) -> Order:
    """Where a version stands: compare two of these.

    Args:
        version: as a package states it; what is no version of that form counts by the numbers it begins with.

    Example:
        >>> places = ["1.0.dev2", "1.0a1", "1.0rc1", "1.0", "1.0.post1", "1.0.1", "1.10", "1!0.1"]
        >>> sorted(reversed(places), key=order) == places
        True
        >>> order("1.0") == order("v1.0.0+local")
        True
    """
    plain = version.strip().casefold().partition("+")[0]
    found = _FORM.match(plain)
    if found is None:
        return 0, (), _FINAL, -1, _NONE
    numbers = [int(part) for part in found["numbers"].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    post = -1
    if found["plain"] or found["post"]:
        post = int(found["plain"] or found["later"] or 0)
    dev = int(found["day"] or 0) if found["dev"] else _NONE
    early = (_STAGES[found["stage"]], int(found["early"] or 0)) if found["stage"] else _FINAL
    if found["dev"] and not found["stage"] and post < 0:
        early = (-1, 0)
    return int(found["epoch"] or 0), tuple(numbers), early, post, dev
