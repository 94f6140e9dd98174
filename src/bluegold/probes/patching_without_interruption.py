"""SEC-3: patching without interrupting pipeline operation."""

from __future__ import annotations

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.patching import patching

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "SEC-3"


def measure(bench: Bench) -> Evidence:
    """Replace every serving process under load, by a reload; no request may fail, on kept connections or new ones.

    A new process starts from the code on the disk, which is how a patch takes effect.

    Raises:
        NotMeasured: nothing is in production.
        ServingError: the server did not reload.
    """
    workers, stayed, took, kept, fresh = bench.once(patching)
    answered, failed = kept.answered + fresh.answered, kept.failed + fresh.failed
    slowest = max((one.answered_at - one.asked_at for one in answered), default=0) / 1e6
    said = f"{len(failed)} failed, first {failed[0]}" if failed else "none failed"
    return bench.evidence(
        REQUIREMENT,
        not failed and not stayed and bool(answered),
        samples=len(answered) + len(failed),
        method=f"{workers} workers replaced by a reload in {took:.1f} s while {len(answered) + len(failed):,} "
        f"requests came, half of them on kept connections: {said}; the slowest waited {slowest:.2f} s",
        artefact="run/board",
    )
