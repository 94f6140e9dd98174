"""The scan: walk, read, match, and say for every technology whether it is used, declared or only mentioned."""

from __future__ import annotations

import functools
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from bluegold.core.errors import DataError
from bluegold.core.nouns import Finding
from bluegold.design.scan.detector import Detector, built_in, guests
from bluegold.design.scan.index import Index
from bluegold.design.scan.modules import LocalModules
from bluegold.design.scan.quiet import uncollected
from bluegold.design.scan.readers.layouts import Layouts
from bluegold.design.scan.readers.python import BESIDE
from bluegold.design.scan.readers.table import Context, format_of
from bluegold.design.scan.signals import CONFIDENCE, EVIDENCE, EvidenceKind, Scope, Signal
from bluegold.design.scan.source import SourceFile, decode, scope_of
from bluegold.design.scan.walk import Entry, Limits, read_bytes, walk

__all__ = ["Survey", "scan", "survey"]

Usage = Literal["used", "declared", "mentioned"]
_SCOPE_WEIGHT: dict[Scope, float] = {"main": 1.0, "example": 0.6, "test": 0.5, "vendored": 0.3}
_SUBMODULE = re.compile(r"\s*path\s*=\s*(\S{1,300})")
Slot = tuple[str, str, EvidenceKind, Scope]


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan found and what it read or passed over.

    ``files`` were seen, ``read`` were opened, ``skipped`` maps a reason to how many it met.
    """

    findings: tuple[Finding, ...]
    files: int
    read: int
    skipped: dict[str, int]


def scan(path: Path, *, limits: Limits | None = None, detectors: Iterable[Detector] = ()) -> tuple[Finding, ...]:
    """What a code base is made of; nothing of it is executed or imported.

    Args:
        path: its folder.
        limits: bounds of the scan.
        detectors: further rows beside the built-in ones and those of installed packages (:func:`read_detectors`).

    Returns:
        Findings by path and line: at most one per file, technology, kind and kind of evidence.

    Raises:
        DataError: the path is no folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "train.py").write_text("import torch  # not tensorflow")
        ...     [(found.technology, found.usage) for found in scan(Path(folder))]
        [('pytorch', 'used'), ('tensorflow', 'mentioned')]
    """
    return survey(path, limits=limits, detectors=detectors).findings


def survey(path: Path, *, limits: Limits | None = None, detectors: Iterable[Detector] = ()) -> Survey:
    """The scan with its counts; arguments and errors as :func:`scan`."""
    if not path.is_dir():
        what = "is not a directory" if path.exists() else "does not exist"
        raise DataError(f"'{path}' {what}", way_out="give the folder of a code base")
    bounds = limits or Limits()
    skipped: Counter[str] = Counter()
    entries = list(walk(path, bounds, skipped))
    paths = [entry.path for entry in entries]
    rows = (*built_in(), *guests(), *detectors)
    context = Context(_index(rows), LocalModules(paths))
    layouts = Layouts(rows, paths)
    vendored = _submodules(entries, skipped)
    found: list[Finding] = []
    read = 0
    with warnings.catch_warnings(), uncollected():
        warnings.simplefilter("ignore")  # a strange escape in someone's string is not ours to report
        for entry in entries:
            text = _open(entry, bounds, skipped)
            scope = scope_of(entry.path, vendored, text if entry.path.endswith((".py", ".ipynb")) else None)
            aside = scope in {"test", "vendored"}
            file = None if text is None else SourceFile(entry.path, text, aside=aside)
            read += file is not None
            signals = _signals(file, context, layouts) if file else layouts.names_only(entry.path)
            found.extend(_findings(signals, entry.path, scope, context.detectors))
    found = _without_examples(_without_strangers(_without_neighbours(found)))
    found.sort(key=lambda item: (item.path, item.line, item.technology, item.kind, item.evidence, item.scope))
    if len(found) > bounds.max_findings:
        skipped["over the finding limit"] += len(found) - bounds.max_findings
    return Survey(
        findings=tuple(found[: bounds.max_findings]),
        files=len(entries),
        read=read,
        skipped=dict(sorted(skipped.items())),
    )


@functools.lru_cache(maxsize=4)
def _index(rows: tuple[Detector, ...]) -> Index:
    return Index(rows)


def _open(entry: Entry, limits: Limits, skipped: Counter[str]) -> str | None:
    """The file as text, or nothing when no reader takes it."""
    name = entry.path.rpartition("/")[2]
    if format_of(name) is None:
        return None
    if entry.size > (limits.max_notebook_bytes if name.endswith(".ipynb") else limits.max_bytes):
        skipped["too big"] += 1
        return None
    data = read_bytes(entry, skipped)
    text = decode(data) if data is not None else None
    if data is not None and text is None:
        skipped["binary"] += 1
    return text


def _signals(file: SourceFile, context: Context, layouts: Layouts) -> Iterator[Signal]:
    yield from layouts.read(file)
    form = format_of(file.name)
    for reader in form.readers if form else ():
        yield from reader(file, context)


def _submodules(entries: list[Entry], skipped: Counter[str]) -> frozenset[str]:
    """Folders that .gitmodules says are other repositories."""
    for entry in entries:
        if entry.path == ".gitmodules" and entry.size < 100_000:
            text = decode(read_bytes(entry, skipped) or b"") or ""
            return frozenset(found[1] for line in text.split("\n") if (found := _SUBMODULE.fullmatch(line)))
    return frozenset()


def _findings(signals: Iterable[Signal], path: str, scope: Scope, index: Index) -> Iterator[Finding]:
    """One finding per technology, kind and kind of evidence: the first place, the best confidence."""
    first: dict[Slot, Finding] = {}
    for signal in signals:
        for row in index.match(signal):
            evidence = signal.evidence or EVIDENCE[signal.channel]
            where: Scope = signal.scope or scope if scope == "main" else scope
            slot = (row.technology, row.kind, evidence, where)
            confidence = round(CONFIDENCE[evidence] * signal.weight * _SCOPE_WEIGHT[where], 2)
            known = first.get(slot)
            if known is None or signal.line < known.line:
                first[slot] = Finding(
                    kind=row.kind,
                    technology=row.technology,
                    section=row.section,
                    usage=_usage(evidence, where),
                    path=path,
                    line=signal.line,
                    evidence=evidence,
                    confidence=max(confidence, known.confidence if known else 0.0),
                    detector=f"{row.kind}.{row.technology}.{signal.channel}",
                    scope=where,
                    detail=signal.detail,
                )
    yield from first.values()


def _usage(evidence: EvidenceKind, scope: Scope) -> Usage:
    """Used is what the system's own code, configuration or deployment shows."""
    if evidence == "prose":
        return "mentioned"
    if evidence == "dependency":
        return "mentioned" if scope == "vendored" else "declared"
    return "mentioned" if scope in {"test", "vendored"} else "used"


def _without_neighbours(found: list[Finding]) -> list[Finding]:
    """An import that a module beside it may answer to counts only where something else shows the library too."""
    shown = {item.technology for item in found if item.usage != "mentioned" and not item.detail.endswith(BESIDE)}
    return [item for item in found if not item.detail.endswith(BESIDE) or item.technology in shown]


def _without_strangers(found: list[Finding]) -> list[Finding]:
    """A registry's method called on something unknown counts only where another sign shows that technology."""
    known = {item.technology for item in found if item.usage != "mentioned" and not item.detail.startswith("call .")}
    libraries = {row.technology for row in built_in() if row.imports}
    return [
        item
        for item in found
        if not (item.kind == "registry" and item.detail.startswith("call ."))
        or item.technology in known
        or item.technology not in libraries
    ]


def _without_examples(found: list[Finding]) -> list[Finding]:
    """Beside a system of its own, examples only show; a repository of nothing but examples uses what they use."""
    own = any(item.scope == "main" and item.evidence in {"import", "call", "deployment"} for item in found)
    if not own:
        return found
    return [
        msgspec.structs.replace(item, usage="mentioned")
        if item.scope == "example" and item.usage != "mentioned"
        else item
        for item in found
    ]
