"""Anchors: where the decision logs end, written into the signed audit chain, so that a cut tail is found.

A log's own chain shows every change but one: lines missing at its very end look like a crash.  An anchor is an audit
row that has seen the line; what was seen once may not be gone later.
"""

from __future__ import annotations

import os
from pathlib import Path

from bluegold.core.nouns import AuditEvent
from bluegold.production.results.decision_reader import LogReport
from bluegold.production.results.segments import gone, last_head, parse_line, segment_path, workers
from bluegold.registry.registry import Registry

__all__ = ["ACTION", "CUT", "anchor", "check_anchors"]

ACTION = "anchor"
#: the action of audit rows that say where a log was cut off, once its beginning was archived
CUT = "cut"
_ACTOR = "automatic:anchor"


def anchor(registry: Registry, root: Path) -> tuple[AuditEvent, ...]:
    """Write the end of every worker's log into the audit chain, where it moved since the last time.

    Args:
        registry: whose chain.
        root: the folder of all decisions.

    Raises:
        OSError: a log cannot be made durable before it is vouched for.
    """
    known = registry.audit.latest(ACTION)
    written = []
    for worker in workers(root):
        end = last_head(root, worker)
        subject = f"decisions/worker-{worker}"
        if not end.segment or (subject in known and known[subject].outcome == end.digest):
            continue
        path = segment_path(root, worker, end.segment)
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)  # a line that only the page cache holds may vanish without anybody's fault
            gone = os.fstat(handle).st_size < end.size
        finally:
            os.close(handle)
        if not gone:  # cut back after a failed write: it was never acknowledged
            details = {"segment": end.segment, "offset": end.size}
            written.append(registry.audit.append(_ACTOR, ACTION, subject, end.digest, details))
    return tuple(written)


def check_anchors(registry: Registry, root: Path) -> LogReport:
    """Hold the logs against the newest anchor of each worker; everything before it hangs on its digest.

    Returns:
        a report; a cut log is a result, not an error.
    """
    cut = _cut_unseen(registry, root)
    if cut:
        return LogReport(ok=False, checked=0, first_bad=cut)
    found = registry.audit.latest(ACTION)
    for checked, (subject, event) in enumerate(sorted(found.items())):
        segment, offset = int(event.details["segment"]), int(event.details["offset"])
        path = segment_path(root, int(subject.rpartition("-")[2]), segment)
        name = path.relative_to(root).as_posix()
        if _digest_at(path, offset) != event.outcome:
            said = f"{name}: byte {offset}, which audit row {event.number} had seen, is not there as it was"
            return LogReport(ok=False, checked=checked, first_bad=said)
    return LogReport(ok=True, checked=len(found))


def _cut_unseen(registry: Registry, root: Path) -> str:
    """Which log says that its beginning was archived, where no audit row says so too."""
    seen = registry.audit.latest(CUT)
    for worker in workers(root):
        left, row = gone(root, worker), seen.get(f"decisions/worker-{worker}")
        if left is None:
            continue
        told = int(row.details["segment"]) if row else 0
        if row is None or left.segment > told or (left.segment == told and left.digest != row.outcome):
            return f"worker-{worker}: its beginning is gone, and no audit row says that it was archived"
    return ""


def _digest_at(path: Path, offset: int) -> str:
    """The digest of the line that ends at ``offset``; empty when no line does."""
    try:
        with path.open("rb") as file:
            size = min(offset, 1 << 20)
            while True:
                file.seek(offset - size)
                raw = file.read(size)
                start = raw.rfind(b"\n", 0, len(raw) - 1) + 1
                if start or size == offset:
                    break
                size = min(offset, size * 8)
    except OSError:
        return ""
    parsed = parse_line(raw[start:]) if len(raw) == size and raw.endswith(b"\n") else None
    return parsed[0] if parsed else ""
