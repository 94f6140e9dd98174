"""CP-5: complete audit trail of model decisions."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.faults import drill
from bluegold.probes.scratch import ACTOR, NotMeasured
from bluegold.production.results.decision_reader import DecisionReader
from bluegold.production.results.segments import segment_path, segments, workers
from bluegold.registry.registry import Registry

__all__ = ["REQUIREMENT", "attack", "measure"]

REQUIREMENT = "CP-5"
FLIPS = 24
ATTACKED_BYTES = 500_000
VERIFIED_BYTES = 128_000_000

_TAMPERINGS = (
    "UPDATE audit SET outcome = outcome || '.' WHERE number = (SELECT (max(number) + 1) / 2 FROM audit)",
    "UPDATE audit SET who = 'nobody' WHERE number = 1",
    "DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)",
)


def measure(bench: Bench) -> Evidence:
    """Verify the trail, tamper with copies of it, and read back every decision that was answered under faults.

    Raises:
        NotMeasured: nothing was ever decided and nothing is in production.
    """
    answered = bench.once(drill).answered
    reader = DecisionReader(bench.scratch().workspace.decisions)
    problems = [f"answered decision {one.id} cannot be read back" for one in answered if reader.get(one.id) is None]
    source = bench.workspace.decisions
    if not any(path.stat().st_size for path in source.rglob("*.jsonl")):
        source = bench.scratch().workspace.decisions
    with bench.folder() as folder:
        whole = DecisionReader(_bounded(source, folder / "verified")).verify()
        if not whole.checked:
            raise NotMeasured("no decision was taken yet")
        tried, unseen = attack(source, folder / "attacked")
    problems += [whole.first_bad] * (not whole.ok) + unseen
    registry = bench.registry.audit.verify()
    problems += [registry.first_bad] * (not registry.ok)
    for statement in _TAMPERINGS:
        tried += 1
        problems += [f"not seen: {statement}"] * (not _found(bench, statement))
    said = f"not held: {problems[0]}" if problems else "every change was found and named, every answer was there"
    return bench.evidence(
        REQUIREMENT,
        not problems,
        samples=whole.checked + tried + len(answered),
        method=f"{whole.checked:,} log lines verified; {tried} changes to copies of the decision log (bytes flipped, a "
        f"line dropped, lines exchanged) and of the registry's chain; {len(answered):,} decisions answered while "
        f"workers were killed read back: {said}",
        artefact="decisions",
    )


def attack(source: Path, folder: Path) -> tuple[int, list[str]]:
    """Change a copy of a decision log in many ways.

    Args:
        source: folder of decisions; it is only read.
        folder: where the copies are made.

    Returns:
        how many changes were tried, and those whose place verification did not name.
    """
    original = next(path for path in sorted(source.rglob("*.jsonl")) if path.stat().st_size)
    copy = folder / original.relative_to(source)
    copy.parent.mkdir(parents=True)
    with original.open("rb") as file:
        raw = file.read(ATTACKED_BYTES)
    raw = raw[: raw.rfind(b"\n") + 1]
    changes = list(_changes(raw))
    unseen = []
    for what, changed, line in changes:
        copy.write_bytes(changed)
        report = DecisionReader(folder).verify()
        if report.ok or f"{copy.relative_to(folder).as_posix()}:{line}:" not in report.first_bad:
            unseen.append(f"{what} of {original.name}: {report.first_bad or 'not seen'}")
    shutil.rmtree(folder)
    return len(changes), unseen


def _changes(raw: bytes) -> Iterator[tuple[str, bytes, int]]:
    """What is done to a log, the changed log, and the line that must be named."""
    last = len(raw) - 2  # the very last byte is a line break; without it the line is the torn tail of a crash
    for at in sorted({last * number // (FLIPS - 1) for number in range(FLIPS)}):
        bit = 0x02 if raw[at] != 0x0A else 0x01
        yield f"byte {at}", raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :], raw.count(b"\n", 0, at) + 1
    lines = raw.splitlines(keepends=True)
    half = len(lines) // 2
    if len(lines) >= 4:
        yield "a dropped line", b"".join(lines[:half] + lines[half + 1 :]), half + 1
        yield "exchanged lines", b"".join([*lines[:half], lines[half + 1], lines[half], *lines[half + 2 :]]), half + 1


def _bounded(source: Path, folder: Path) -> Path:
    """The log itself, or where it is large, its first segments (each worker's chain begins there) in a folder."""
    if sum(path.stat().st_size for path in source.rglob("*.jsonl")) <= VERIFIED_BYTES:
        return source
    known = workers(source)
    for worker in known:
        left = VERIFIED_BYTES // len(known)
        for segment in segments(source, worker):
            original, link = segment_path(source, worker, segment), segment_path(folder, worker, segment)
            left -= original.stat().st_size
            if left < 0 and link.parent.exists():
                break
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(original, link)
    return folder


def _found(bench: Bench, statement: str) -> bool:
    """Whether verification names what a statement did to a copy of the registry behind its back."""
    with bench.copy() as space:
        with closing(sqlite3.connect(space.database)) as connection:
            connection.execute(statement)
            connection.commit()
        with Registry.open(space, actor=ACTOR) as registry:
            report = registry.audit.verify()
        return not report.ok and bool(report.first_bad)
