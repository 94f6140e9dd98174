"""CP-5: complete audit trail of model decisions."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from bluegold.probes.bench import Bench, NotMeasured, Reading
from bluegold.production.results.decision_reader import DecisionReader
from bluegold.registry.registry import Registry

__all__ = ["REQUIREMENT", "attack", "measure"]

REQUIREMENT = "CP-5"
FLIPS = 24
MOST_BYTES = 1_000_000


def measure(bench: Bench) -> Reading:
    """Verify the whole trail, then change bytes of copies, drop and exchange lines: each must be named.

    Raises:
        NotMeasured: no decision was taken yet.
    """
    source = bench.workspace.decisions
    if not any(source.rglob("*.jsonl")):
        source = bench.scratch().workspace.decisions
    whole = DecisionReader(source).verify()
    if not whole.checked:
        raise NotMeasured("no decision was taken yet")
    with bench.folder() as folder:
        tried, unseen = attack(source, folder)
    registry_tried, registry_unseen = _attack_registry(bench)
    held = whole.ok and bench.registry.audit.verify().ok and not unseen and not registry_unseen
    said = (
        "every one was found and named" if held else f"not held: {(unseen or registry_unseen or [whole.first_bad])[0]}"
    )
    return Reading(
        value=held,
        samples=tried + registry_tried,
        method=f"{whole.checked:,} log lines verified; {tried} changes to a copy of the decision log "
        f"(bytes flipped, line dropped, lines exchanged) and {registry_tried} to a copy of the registry: {said}",
        artefact="decisions",
    )


def attack(source: Path, folder: Path) -> tuple[int, list[str]]:
    """Change a copy of a decision log in many ways.

    Args:
        source: folder of decisions; it is only read.
        folder: where the copies are made.

    Returns:
        how many changes were tried, and those that verification did not name.
    """
    original = next(path for path in sorted(source.rglob("*.jsonl")) if path.stat().st_size)
    copy = folder / original.relative_to(source)
    copy.parent.mkdir(parents=True)
    raw = original.read_bytes()[:MOST_BYTES]
    raw = raw[: raw.rfind(b"\n") + 1]
    lines = raw.splitlines(keepends=True)
    changes = [(f"byte {at}", _flipped(raw, at), raw.count(b"\n", 0, at) + 1) for at in _positions(len(raw))]
    if len(lines) >= 4:
        half = len(lines) // 2
        changes.append(("a dropped line", b"".join(lines[:half] + lines[half + 1 :]), half + 1))
        swapped = [*lines[:half], lines[half + 1], lines[half], *lines[half + 2 :]]
        changes.append(("exchanged lines", b"".join(swapped), half + 1))
    unseen = []
    for what, changed, line in changes:
        copy.write_bytes(changed)
        report = DecisionReader(folder).verify()
        if report.ok or f"{copy.relative_to(folder).as_posix()}:{line}:" not in report.first_bad:
            unseen.append(f"{what} of {original.name}: {report.first_bad or 'not seen'}")
    shutil.rmtree(copy.parent)
    return len(changes), unseen


def _positions(size: int) -> list[int]:
    last = size - 2  # the very last byte is a line break; without it the line is the torn tail of a crash
    return sorted({last * number // (FLIPS - 1) for number in range(FLIPS)})


def _flipped(raw: bytes, at: int) -> bytes:
    bit = 0x02 if raw[at] != 0x0A else 0x01
    return raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]


def _attack_registry(bench: Bench) -> tuple[int, list[str]]:
    """Change rows of a copy of the registry behind its back."""
    statements = (
        ("audit", "UPDATE audit SET outcome = outcome || '.' WHERE number = (SELECT max(number) / 2 + 1 FROM audit)"),
        ("audit", "UPDATE audit SET who = 'nobody' WHERE number = 1"),
        ("audit", "DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)"),
    )
    unseen = []
    for table, statement in statements:
        with bench.copy() as space:
            connection = sqlite3.connect(space.database)
            try:
                connection.execute(statement)
                connection.commit()
            finally:
                connection.close()
            with Registry.open(space, actor="probe") as registry:
                report = registry.audit.verify()
            if report.ok or not report.first_bad:
                unseen.append(f"{table}: {statement}")
    return len(statements), unseen
