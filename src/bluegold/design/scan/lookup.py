"""Finding detectors by a name: exact, by dotted prefix, or by glob; every answer is remembered."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from bluegold.design.scan.detector import Detector

__all__ = ["Lookup", "PrefixLookup"]

#: answers kept by one table
REMEMBERED = 50_000
Rows = tuple[Detector, ...]


class Lookup:
    """Detectors by exact name, then by the patterns that hold a ``*``.

    Args:
        pairs: (name or glob, detector).

    Example:
        >>> row = Detector(technology="airflow", kind="orchestrator", section="S1")
        >>> Lookup([("AIRFLOW__*", row)]).find("AIRFLOW__CORE__EXECUTOR")[0].technology
        'airflow'
    """

    def __init__(self, pairs: Iterable[tuple[str, Detector]]) -> None:
        exact: dict[str, list[Detector]] = {}
        globs: list[tuple[re.Pattern[str], Detector]] = []
        for pattern, row in pairs:
            if "*" in pattern:
                globs.append((re.compile(fnmatch.translate(pattern)), row))
            else:
                exact.setdefault(pattern, []).append(row)
        self._exact = {name: tuple(rows) for name, rows in exact.items()}
        self._globs = tuple(globs)
        self._known: dict[str, Rows] = {}

    def find(self, name: str) -> Rows:
        """The detectors that know this name."""
        known = self._known.get(name)
        if known is None:
            known = self._exact.get(name, ()) + tuple(row for pattern, row in self._globs if pattern.match(name))
            known = tuple(dict.fromkeys(known))
            if len(name) < 200 and len(self._known) < REMEMBERED:
                self._known[name] = known
        return known

    @property
    def names(self) -> frozenset[str]:
        """The names without a glob."""
        return frozenset(self._exact)


class PrefixLookup:
    """Detectors by any leading part of a dotted (or slashed) name.

    Example:
        >>> row = Detector(technology="pytorch", kind="framework", section="S1")
        >>> PrefixLookup([("torch", row)]).find("torch.nn.Linear")[0].technology
        'pytorch'
        >>> PrefixLookup([("torch", row)]).find("torchmetrics")
        ()
    """

    def __init__(self, pairs: Iterable[tuple[str, Detector]], separator: str = ".") -> None:
        rows: dict[str, list[Detector]] = {}
        for name, row in pairs:
            rows.setdefault(name, []).append(row)
        self._rows = {name: tuple(found) for name, found in rows.items()}
        self._separator = separator
        self._known: dict[str, Rows] = {}

    def find(self, name: str) -> Rows:
        """The detectors of the name and of every prefix of it, the most specific first."""
        known = self._known.get(name)
        if known is None:
            found: list[Detector] = []
            parts = name.split(self._separator)[:12]
            for end in range(len(parts), 0, -1):
                found.extend(self._rows.get(self._separator.join(parts[:end]), ()))
            known = tuple(dict.fromkeys(found))
            if len(name) < 200 and len(self._known) < REMEMBERED:
                self._known[name] = known
        return known

    @property
    def heads(self) -> frozenset[str]:
        """The first parts of all names."""
        return frozenset(name.split(self._separator)[0] for name in self._rows)
