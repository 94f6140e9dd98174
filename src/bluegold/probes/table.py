"""The table of probes, and the one call that runs them and writes what they found into the ledger."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Sequence
from types import ModuleType

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import Evidence, Requirement, now
from bluegold.probes import (
    ap_1,
    ap_2,
    ap_3,
    ap_4,
    ap_6,
    ap_7,
    ap_8,
    ap_10,
    ap_11,
    ap_12,
    ap_13,
    cp_5,
    cp_6,
    nf_2,
    nf_4,
    nf_5,
    nf_7,
    sec_2,
)
from bluegold.probes.bench import Bench, Reading
from bluegold.requirements.catalog import catalog, judge, requirement
from bluegold.requirements.ledger import Ledger

__all__ = ["PROBES", "prove"]

#: requirement -> probe, in the order they run (a cold change of version before the probes that warm both)
PROBES: dict[str, ModuleType] = {
    str(module.REQUIREMENT): module
    for module in (
        ap_1,
        ap_2,
        ap_3,
        ap_4,
        ap_6,
        ap_7,
        ap_8,
        ap_11,
        ap_12,
        ap_13,
        cp_6,
        nf_4,
        ap_10,
        nf_7,
        sec_2,
        nf_5,
        nf_2,
        cp_5,
    )
}


def prove(
    bench: Bench, ids: Sequence[str] = (), on_evidence: Callable[[Evidence], None] | None = None
) -> tuple[Evidence, ...]:
    """Run the probes, append what they measured to the ledger, and say what needs instrumentation.

    Args:
        bench: the system.
        ids: only these requirements; all by default.
        on_evidence: told about each one as it comes.

    Returns:
        one piece of evidence for each requirement, in catalogue order; only measured ones are in the ledger.

    Raises:
        UsageError: an id is no requirement.
        WorkspaceError: the ledger cannot be written.
    """
    plan = bench.system.plan
    chosen = {requirement(one, plan).id for one in ids} or {row.id for row in catalog(plan)}
    rows = {row.id: row for row in catalog(plan) if row.id in chosen}
    order = [*(one for one in PROBES if one in rows), *(one for one in rows if one not in PROBES)]
    ledger = Ledger(bench.workspace.evidence)
    found = {}
    try:
        for one in order:
            evidence = _measured(bench, rows[one])
            if evidence.value is not None:
                ledger.record(evidence)
            if on_evidence is not None:
                on_evidence(evidence)
            found[one] = evidence
    finally:
        bench.close()
    return tuple(found[one] for one in rows)


def _measured(bench: Bench, row: Requirement) -> Evidence:
    module = PROBES.get(row.id)
    if module is None:
        return _evidence(bench, row, None, "no probe measures it in this installation yet")
    try:
        reading: Reading = module.measure(bench)
    except (BluegoldError, OSError, http.client.HTTPException) as error:
        return _evidence(bench, row, None, f"could not be measured: {error}")
    return _evidence(bench, row, reading, reading.method)


def _evidence(bench: Bench, row: Requirement, reading: Reading | None, method: str) -> Evidence:
    versions = bench.registry.versions.list(bench.system.name, limit=1)
    return Evidence(
        requirement=row.id,
        value=reading.value if reading else None,
        verdict=judge(row, reading.value if reading else None),
        unit=row.unit,
        samples=reading.samples if reading else 0,
        machine=bench.machine,
        version=bench.version.ref if versions else "",
        artefact=reading.artefact if reading else "",
        method=method,
        at=now(),
    )
