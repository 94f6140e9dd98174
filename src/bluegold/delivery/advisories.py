"""Advisories: known vulnerabilities from an offline source, held against an environment's ``name==version`` lines.

A source is one JSON file or a folder of them, in the Open Source Vulnerability format
(https://ossf.github.io/osv-schema/), as the public databases offer for download: one record a file, or a list.  A
shorter form is read too: ``{"id": "X-1", "package": "name", "introduced": "1.0", "fixed": "1.4.2"}``, with
``versions`` for single affected versions.  Without ``fixed`` every later version is affected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

__all__ = ["SOURCE", "Advisories", "Advisory"]

#: Where a workspace keeps its advisories when the plan names no other place.
SOURCE = "advisories.json"


class Advisory(msgspec.Struct, frozen=True, kw_only=True):
    """One known vulnerability of one package."""

    id: str
    package: str
    introduced: str = "0"
    fixed: str = ""
    last_affected: str = ""
    versions: tuple[str, ...] = ()

    def affects(self, version: str) -> bool:
        """Whether a version has it.

        Example:
            >>> leak = Advisory(id="X-1", package="p", introduced="1.0", fixed="1.10")
            >>> leak.affects("1.9"), leak.affects("1.10"), leak.affects("0.9"), leak.affects("1.10rc1")
            (True, False, False, True)
        """
        if version in self.versions:
            return True
        if self.versions and not self.fixed and not self.last_affected:
            return False
        if _order(version) < _order(self.introduced):
            return False
        if self.last_affected:
            return _order(version) <= _order(self.last_affected)
        return not self.fixed or _order(version) < _order(self.fixed)


class _Package(msgspec.Struct):
    name: str
    ecosystem: str = ""


class _Range(msgspec.Struct):
    events: list[dict[str, str]] = []
    type: str = ""


class _Affected(msgspec.Struct):
    package: _Package
    ranges: list[_Range] = []
    versions: tuple[str, ...] = ()


class _Record(msgspec.Struct):
    """One record, in either form."""

    id: str
    affected: list[_Affected] = []
    withdrawn: str = ""
    package: str = ""
    introduced: str = "0"
    fixed: str = ""
    versions: tuple[str, ...] = ()


class Advisories:
    """Everything one source knows.

    Args:
        known: its advisories.
    """

    def __init__(self, known: tuple[Advisory, ...]) -> None:
        self.count = len(known)
        self._by_package: dict[str, list[Advisory]] = {}
        for one in known:
            self._by_package.setdefault(_name(one.package), []).append(one)

    @classmethod
    def read(cls, path: Path) -> Advisories | str:
        """The advisories of a file or a folder, or why it cannot be used; one bad file makes the whole unusable."""
        known: list[Advisory] = []
        try:
            files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
            for file in files:
                data = file.read_bytes()
                if data.lstrip()[:1] == b"[":
                    records = msgspec.json.decode(data, type=list[_Record])
                else:
                    records = [msgspec.json.decode(data, type=_Record)]
                for record in records:
                    known += _advisories(record)
        except (OSError, msgspec.MsgspecError) as error:
            return f"{file.name if path.is_dir() else path.name}: {error}"
        return cls(tuple(known)) if known else f"'{path}' knows no advisory at all"

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
            ids = dict.fromkeys(one.id for one in self._by_package.get(_name(name), ()) if one.affects(version))
            hits += [f"{line.strip()}: {one}" for one in ids]
        return packages, hits


def _advisories(record: _Record) -> Iterator[Advisory]:
    """The advisories of one record: one for each span of versions, and one for the versions it lists."""
    if record.withdrawn:
        return
    if record.package:
        yield Advisory(
            id=record.id,
            package=record.package,
            introduced=record.introduced,
            fixed=record.fixed,
            versions=record.versions,
        )
    for one in record.affected:
        if one.package.ecosystem.partition(":")[0].casefold() not in {"", "pypi"}:
            continue
        if one.versions:
            yield Advisory(id=record.id, package=one.package.name, versions=one.versions)
        for span in one.ranges:
            if span.type != "GIT":
                yield from _spans(record.id, one.package.name, span.events)


def _spans(identifier: str, package: str, events: list[dict[str, str]]) -> Iterator[Advisory]:
    introduced = ""
    for event in events:
        if "introduced" in event:
            introduced = event["introduced"]
        elif introduced and ("fixed" in event or "last_affected" in event):
            fixed, last = event.get("fixed", ""), event.get("last_affected", "")
            yield Advisory(id=identifier, package=package, introduced=introduced, fixed=fixed, last_affected=last)
            introduced = ""
    if introduced:
        yield Advisory(id=identifier, package=package, introduced=introduced)


def _name(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).casefold()


def _order(version: str) -> tuple[tuple[int, ...], int]:
    """A version's place in the order: its numbers, and a pre-release before the release itself."""
    plain = version.partition("+")[0].casefold().lstrip("v")
    release = re.match(r"[\d.]*", plain)
    numbers = [int(part) for part in re.findall(r"\d+", release.group() if release else "")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    early = re.search(r"(a|b|c|rc|alpha|beta|pre|dev)[.\d]*$", plain)
    return tuple(numbers), -1 if early else 0
