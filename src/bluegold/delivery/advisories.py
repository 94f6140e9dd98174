"""Advisories: known vulnerabilities from an offline file, held against an environment's ``name==version`` lines.

The file is JSON: ``[{"id": "GHSA-...", "package": "name", "introduced": "1.0", "fixed": "1.4.2"}]``; ``versions``
lists single affected versions.  Without ``fixed`` every later version is affected.  The fields follow the Open
Source Vulnerability schema (https://ossf.github.io/osv-schema/).
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

__all__ = ["SOURCE", "Advisories", "Advisory"]

#: Where a workspace keeps its advisories.
SOURCE = "advisories.json"


class Advisory(msgspec.Struct, frozen=True, kw_only=True):
    """One known vulnerability of one package."""

    id: str
    package: str
    introduced: str = "0"
    fixed: str = ""
    versions: tuple[str, ...] = ()

    def affects(self, version: str) -> bool:
        """Whether a version has it.

        Example:
            >>> leak = Advisory(id="X-1", package="p", introduced="1.0", fixed="1.10")
            >>> leak.affects("1.9"), leak.affects("1.10"), leak.affects("0.9")
            (True, False, False)
        """
        if self.versions:
            return version in self.versions
        if _order(version) < _order(self.introduced):
            return False
        return not self.fixed or _order(version) < _order(self.fixed)


class Advisories:
    """Everything one file knows.

    Args:
        known: its advisories.
    """

    def __init__(self, known: tuple[Advisory, ...]) -> None:
        self._by_package: dict[str, list[Advisory]] = {}
        for one in known:
            self._by_package.setdefault(_name(one.package), []).append(one)

    @classmethod
    def read(cls, path: Path) -> Advisories | str:
        """The advisories of a file, or why it cannot be used."""
        try:
            return cls(msgspec.json.decode(path.read_bytes(), type=tuple[Advisory, ...]))
        except (OSError, msgspec.MsgspecError) as error:
            return str(error)

    def audit(self, environment: str) -> tuple[int, list[str]]:
        """Number of packages looked at, and what was found as ``name==version: id``.

        Example:
            >>> Advisories((Advisory(id="X-1", package="Some_Pkg", fixed="2"),)).audit("some-pkg==1.0\\nother==3")
            (2, ['some-pkg==1.0: X-1'])
        """
        packages, hits = 0, []
        for line in environment.splitlines():
            name, separator, version = line.strip().partition("==")
            if not separator or name.startswith("#"):
                continue
            packages += 1
            hits += [
                f"{line.strip()}: {one.id}" for one in self._by_package.get(_name(name), ()) if one.affects(version)
            ]
        return packages, hits


def _name(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).casefold()


def _order(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in re.findall(r"\d+", version.partition("+")[0])]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
