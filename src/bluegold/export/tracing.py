"""Tracing: from source rows to the versions and decisions that rest on them, and from a version back to its rows.

The graph store answers which versions used which stored table of rows, in one recursive query; the tables say which
rows they hold; the registry says what the versions went through; the decision log says what they answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from bluegold.core.errors import UsageError
from bluegold.core.nouns import Approval, AuditEvent, GateReport, ModelVersion, Noun, Stage, StageChange
from bluegold.core.workspace import Workspace
from bluegold.export.source_rows import SourceRow, StoredRows, read_row
from bluegold.production.results.tally import Answered, tally
from bluegold.registry import Registry
from bluegold.registry.source_rows import ROWS, USES, Part
from bluegold.registry.tables import Release, split_ref

__all__ = ["Behind", "Came", "RowTrace", "behind", "trace_rows"]

#: At most so many versions are shown; so many are asked for their sources, and so many sources are looked in.
_VERSIONS = 50
_LISTED = 200
_SOURCES = 20
_USED = frozenset(use for part, use in USES.items() if part != "valid")


class Came(Noun, frozen=True, kw_only=True):
    """One version that used a row, and what became of the version.

    Attributes:
        ref: the version.
        stage: its present stage.
        uses: row number -> ``trained``, ``validated``, ``judged`` or ``refused for``.
        gates: what each gate said last.
        approvals: who consented.
        changes: how its stage changed.
        releases: how its releases ended.
        answered: its decisions.
        scored: the files it scored, newest first, as the audit chain has them.
    """

    ref: str
    stage: Stage
    uses: dict[int, str]
    gates: tuple[GateReport, ...]
    approvals: tuple[Approval, ...]
    changes: tuple[StageChange, ...]
    releases: tuple[Release, ...]
    answered: Answered
    scored: tuple[AuditEvent, ...]


class RowTrace(Noun, frozen=True, kw_only=True):
    """What came of some source rows.

    Attributes:
        source: digest of the source rows.
        how: how the rows were found, in words.
        total: how many rows were meant.
        rows: the first of them.
        versions: every version that used one of these, newest first.
        unlooked: older versions of the same source that were not looked at.
        unread: bytes of the decision log that were left unread; then decisions are counted incompletely.
    """

    source: str
    how: str
    total: int
    rows: tuple[SourceRow, ...]
    versions: tuple[Came, ...]
    unlooked: int
    unread: int


class Behind(Noun, frozen=True, kw_only=True):
    """The source rows behind a version, or behind a decision of it.

    Attributes:
        source: digest of the source rows.
        data: digest of rows and lookup tables together.
        rows: how many source rows there were.
        counts: part -> rows.
        first: part -> the numbers of its first rows.
        same: rows with the very input of the decision, if one was asked for.
    """

    source: str
    data: str
    rows: int
    counts: dict[Part, int]
    first: dict[Part, tuple[int, ...]]
    same: tuple[SourceRow, ...]


def trace_rows(
    registry: Registry, workspace: Workspace, words: Sequence[str], ref: str = "", limit: int = 10
) -> RowTrace:
    """Follow source rows to the versions that used them and to the decisions these gave.

    Args:
        registry: where the versions are.
        workspace: the registry's workspace.
        words: ``FILE:NUMBER`` (a row of the file that was developed from, counted from 0), ``NUMBER`` (a row of the
            version's source), or ``column=value``, all of which must hold.
        ref: the version whose rows are meant; without it, the newest version that has such rows.
        limit: how many rows, and how many decisions of each version, are shown.

    Raises:
        UsageError: the words name no row, or no version has it.
        DataError: the file cannot be read, or no version says what became of its rows.
        UnknownVersion: there is no such version.
    """
    select = _Selection(words)
    tried: list[str] = []
    for stored in _sources(registry, workspace, ref):
        numbers, how = select(stored)
        if numbers:
            return _followed(registry, workspace, stored, numbers, how, limit)
        tried.append(stored.ref)
    raise UsageError(
        f"no stored row is {' and '.join(words)}",
        why=f"looked in the rows of {', '.join(tried[:10])}" if tried else "no version says what became of its rows",
        way_out="'bluegold trace VERSION' shows which rows a version has",
    )


def behind(
    registry: Registry, workspace: Workspace, version: ModelVersion, payload: Any = None, limit: int = 10
) -> Behind | None:
    """The source rows that a version rests on.

    Args:
        registry: where the version is.
        workspace: the registry's workspace.
        version: the version.
        payload: the input of one of its decisions, as it was recorded; rows with the same values are named.
        limit: how many rows of each kind are shown.

    Returns:
        None when the version does not say what became of its rows.

    Raises:
        IntegrityError: what is stored was changed.
        StoreError: it is gone.
    """
    if ROWS not in version.artefacts:
        return None
    stored = StoredRows(registry, workspace, version)
    told = stored.told
    same: tuple[SourceRow, ...] = ()
    if isinstance(payload, dict) and payload:
        same = stored.numbered(stored.like(_frame(payload), plain=False)[:limit])
    return Behind(
        source=told.source,
        data=version.lineage.data,
        rows=told.rows,
        counts={part: told.counts[part] for part in USES if part in told.counts},
        first={part: stored.sample(part, limit) for part in ("train", "validate", "holdout", "quarantine")},
        same=same,
    )


def _frame(payload: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame({name: pl.Series(name, [value], strict=False) for name, value in payload.items()})


class _Selection:
    """The rows that were asked for, as something that is looked for in one version's rows."""

    def __init__(self, words: Sequence[str]) -> None:
        self._conditions = dict(word.partition("=")[::2] for word in words if "=" in word)
        places = [word for word in words if "=" not in word]
        if not words or len(places) > 1 or (places and self._conditions):
            raise UsageError(
                "a trace begins at one place or at values",
                way_out="give --row FILE:NUMBER, --row NUMBER, or --row column=value (several must all hold)",
            )
        self._row: pl.DataFrame | None = None
        self._number, self._file = -1, ""
        if places:
            self._file, _, number = places[0].rpartition(":")
            if not number.isdecimal():
                raise UsageError(
                    f"'{places[0]}' names no row",
                    way_out="end it with the row's number, counted from 0, or write name=value",
                )
            self._number = int(number)
            self._row = read_row(Path(self._file), self._number) if self._file else None

    def __call__(self, stored: StoredRows) -> tuple[tuple[int, ...], str]:
        if self._conditions:
            return stored.where(self._conditions), "rows with these values"
        if self._row is None:
            there = self._number < stored.told.rows
            return ((self._number,) if there else ()), f"row {self._number} of the source"
        same = stored.like(self._row)
        if self._number in same:
            return (self._number,), f"row {self._number} of '{self._file}', at the same place of the source"
        return same, f"rows with the values of row {self._number} of '{self._file}'"


def _sources(registry: Registry, workspace: Workspace, ref: str) -> list[StoredRows]:
    """The rows to look in: the version's, or those of every source that the newest versions were made of."""
    if ref:
        return [StoredRows(registry, workspace, registry.versions.verified(ref))]
    found: dict[tuple[str, str], StoredRows] = {}
    for version in registry.versions.list(limit=_LISTED):
        tables = version.artefacts.get(ROWS, "")
        if tables and (version.model, tables) not in found and len(found) < _SOURCES:
            found[version.model, tables] = StoredRows(registry, workspace, version)
    return list(found.values())


def _followed(
    registry: Registry, workspace: Workspace, stored: StoredRows, numbers: tuple[int, ...], how: str, limit: int
) -> RowTrace:
    rows = stored.numbered(numbers[:limit])
    edges = registry.lineage.down(f"rows:{stored.told.source}", depth=2)
    refs = sorted({edge.target for edge in edges if edge.relation in _USED}, key=_age, reverse=True)
    known: dict[str, dict[int, Part]] = {}
    used: dict[str, tuple[ModelVersion, dict[int, str]]] = {}
    for ref in refs[:_VERSIONS]:
        version = registry.versions.verified(ref)
        digest = version.artefacts[ROWS]
        if digest not in known:
            known[digest] = StoredRows(registry, workspace, version).parts([row.row for row in rows])
        uses = {number: USES[part] for number, part in known[digest].items() if USES[part] in _USED}
        if uses:
            used[ref] = version, uses
    answered, unread = tally(workspace, list(used), latest=limit)
    return RowTrace(
        source=stored.told.source,
        how=how,
        total=len(numbers),
        rows=rows,
        versions=tuple(_came(registry, *found, answered[ref], limit) for ref, found in used.items()),
        unlooked=max(0, len(refs) - _VERSIONS),
        unread=unread,
    )


def _age(ref: str) -> tuple[int, str]:
    model, version = split_ref(ref)
    return int(version[1:]), model


def _came(registry: Registry, version: ModelVersion, uses: dict[int, str], answered: Answered, limit: int) -> Came:
    history = registry.lifecycle.history(version.model)
    return Came(
        ref=version.ref,
        stage=version.stage,
        uses=uses,
        gates=tuple(registry.gates.latest(version.ref).values()),
        approvals=registry.approvals.list(version.ref),
        changes=tuple(change for change in history if change.ref == version.ref),
        releases=tuple(one for one in registry.releases.list(version.model) if one.ref == version.ref),
        answered=answered,
        scored=registry.audit.newest(version.ref, "score", limit),
    )
