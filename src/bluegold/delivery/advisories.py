"""Advisories: known vulnerabilities from an offline source, held against an environment's ``name==version`` lines.

A source is one JSON file or a folder of them, in the Open Source Vulnerability format
(https://ossf.github.io/osv-schema/), as the public databases offer for download: one record a file, or a list.  A
shorter form is read too: ``{"id": "X-1", "package": "name", "introduced": "1.0", "fixed": "1.4.2"}``, with
``versions`` for single affected versions.  Without ``fixed`` every later version is affected.

A withdrawn record says nothing.  Records that name each other as aliases are one vulnerability, said once under all its
names, with the release that mends it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bluegold.delivery.release_order import order

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
    aliases: tuple[str, ...] = ()

    def affects(self, version: str) -> bool:
        """Whether a version has it.

        Example:
            >>> leak = Advisory(id="X-1", package="p", introduced="1.0", fixed="1.10")
            >>> leak.affects("1.9"), leak.affects("1.10"), leak.affects("0.9"), leak.affects("1.10rc1")
            (True, False, False, True)
        """
        place = order(version)
        if any(place == order(one) for one in self.versions):
            return True
        if self.versions and not self.fixed and not self.last_affected:
            return False
        if place < order(self.introduced):
            return False
        if self.last_affected:
            return place <= order(self.last_affected)
        return not self.fixed or place < order(self.fixed)


class _Package(msgspec.Struct):
    name: str
    ecosystem: str = ""


class _Range(msgspec.Struct):
    events: list[dict[str, str]] = []
    type: str = ""


class _Affected(msgspec.Struct):
    package: _Package | None = None
    ranges: list[_Range] | None = None
    versions: tuple[str, ...] | None = None


class _Record(msgspec.Struct):
    """One record, in either form."""

    id: str
    affected: list[_Affected] | None = None
    aliases: tuple[str, ...] | None = None
    withdrawn: str | None = None
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
        """Number of packages looked at, and what was found: ``name==version: ids (way out)``.

        Example:
            >>> Advisories((Advisory(id="X-1", package="Some_Pkg", fixed="2"),)).audit("some-pkg==1.0\\nother==3")
            (2, ['some-pkg==1.0: X-1 (mended in 2)'])
        """
        packages, hits = 0, []
        for line in environment.splitlines():
            requirement = re.split(r"[;#\s]", line.strip(), maxsplit=1)[0]
            name, separator, version = requirement.partition("==")
            if not separator:
                continue
            packages += 1
            known = self._by_package.get(_name(name.partition("[")[0]), [])
            found = [one for one in known if one.affects(version)]
            hits += [f"{requirement}: {', '.join(names)} ({_way_out(group, version)})" for names, group in _once(found)]
        return packages, hits


def _once(found: list[Advisory]) -> list[tuple[list[str], list[Advisory]]]:
    """Advisories by vulnerability: those that share a name, directly or through others, are one."""
    groups: list[tuple[dict[str, None], list[Advisory]]] = []
    for one in found:
        names, members = dict.fromkeys((one.id, *one.aliases)), [one]
        apart = []
        for group in groups:
            if group[0].keys() & names.keys():
                names, members = group[0] | names, group[1] + members
            else:
                apart.append(group)
        groups = [*apart, (names, members)]
    return [(list(names), members) for names, members in groups]


def _way_out(found: list[Advisory], version: str) -> str:
    """The release in which all of them are mended, as far as they say."""
    mended = [one.fixed for one in found if one.fixed and order(one.fixed) > order(version)]
    return f"mended in {max(mended, key=order)}" if mended else "no release is said to mend it: leave the package out"


def _advisories(record: _Record) -> Iterator[Advisory]:
    """The advisories of one record: one for each span of versions, and one for the versions it lists."""
    if record.withdrawn:
        return
    aliases = record.aliases or ()
    if record.package:
        yield Advisory(
            id=record.id,
            package=record.package,
            introduced=record.introduced,
            fixed=record.fixed,
            versions=record.versions,
            aliases=aliases,
        )
    for one in record.affected or ():
        if one.package is None or one.package.ecosystem.partition(":")[0].casefold() not in {"", "pypi"}:
            continue
        if one.versions:
            yield Advisory(id=record.id, package=one.package.name, versions=one.versions, aliases=aliases)
        for span in one.ranges or ():
            if span.type != "GIT":
                for found in _spans(record.id, one.package.name, span.events):
                    yield msgspec.structs.replace(found, aliases=aliases)


def _spans(identifier: str, package: str, events: list[dict[str, str]]) -> Iterator[Advisory]:
    """The stretches of versions between their events, which a record may list in any order."""
    kinds = ("introduced", "last_affected", "fixed")
    known = [
        (order(event[kind]), kinds.index(kind), event[kind]) for event in events for kind in kinds if kind in event
    ]
    introduced = ""
    for _, kind, version in sorted(known):
        if kinds[kind] == "introduced":
            introduced = introduced or version
        elif introduced:
            last = version if kinds[kind] == "last_affected" else ""
            fixed = version if kinds[kind] == "fixed" else ""
            yield Advisory(id=identifier, package=package, introduced=introduced, fixed=fixed, last_affected=last)
            introduced = ""
    if introduced:
        yield Advisory(id=identifier, package=package, introduced=introduced)


def _name(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).casefold()
