"""The six gates as one policy: what they are, in which order they run, and what they say together."""

from __future__ import annotations

import time
from collections.abc import Callable

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import GateReport, Measure, Verdict
from bluegold.delivery.candidate import Candidate
from bluegold.delivery.gates import (
    gate_1_model,
    gate_2_feature,
    gate_3_data_quality,
    gate_4_performance,
    gate_5_security,
    gate_6_regression,
)
from bluegold.delivery.reporting import report

__all__ = ["GATES", "Gate", "run_gates", "verdict_of"]

Gate = Callable[[Candidate], GateReport]

#: name -> gate, in the method's order.
GATES: dict[str, Gate] = {
    module.NAME: module.check
    for module in (
        gate_1_model,
        gate_2_feature,
        gate_3_data_quality,
        gate_4_performance,
        gate_5_security,
        gate_6_regression,
    )
}

#: The dearest gate, which starts a process, comes last and only when no other gate has said no.
_LAST = gate_4_performance.NAME


def run_gates(candidate: Candidate, on_report: Callable[[GateReport], None]) -> tuple[GateReport, ...]:
    """Run every gate; a gate that breaks down is ``hold``, never a pass.

    Args:
        candidate: the version under judgement.
        on_report: told of each report as it comes, before the next gate runs.

    Returns:
        six reports, in the method's order.
    """
    found: dict[str, GateReport] = {}
    for name in sorted(GATES, key=lambda gate: gate == _LAST):
        started = time.monotonic()
        no = [gate for gate, said in found.items() if said.verdict == "fail"]
        if name == _LAST and no:
            found[name] = _not_run(name, candidate, f"not run: gate {', '.join(no)} has refused already", started)
        else:
            try:
                found[name] = GATES[name](candidate)
            except BluegoldError as error:
                found[name] = _not_run(name, candidate, str(error), started)
        on_report(found[name])
    return tuple(found[name] for name in GATES)


def _not_run(name: str, candidate: Candidate, why: str, started: float) -> GateReport:
    return report(name, candidate.ref, (Measure(name="gate completed", value=None, limit=None, note=why),), started)


def verdict_of(reports: tuple[GateReport, ...]) -> Verdict:
    """What the gates say together: one failure refuses, one missing report or hold holds.

    Example:
        >>> verdict_of(())
        'hold'
    """
    said = {report.gate: report.verdict for report in reports}
    if "fail" in said.values():
        return "fail"
    return "pass" if all(said.get(name) == "pass" for name in GATES) else "hold"
