"""AP-11: fairness across demographic groups."""

from __future__ import annotations

from bluegold.development.verification import fairness
from bluegold.probes.bench import Bench, NotMeasured, Reading
from bluegold.probes.holdout import holdout

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-11"


def measure(bench: Bench) -> Reading:
    """Judge the hold-out decisions of every protected attribute by the plan's criterion; the worst counts.

    Raises:
        NotMeasured: no protected attribute has enough rows.
    """
    held = holdout(bench)
    found = fairness.run(held.context)["fairness"]
    if found["fairness_parity"] is None:
        raise NotMeasured(found["note"] or "no protected attribute can be judged")
    parts = ", ".join(f"{name} {one['parity']:.1f}" for name, one in found["attributes"].items())
    return Reading(
        value=found["fairness_parity"],
        samples=held.table.height,
        method=f"{found['criterion'].replace('_', ' ')} on the hold-out, % parity: {parts}",
        artefact="holdout.parquet",
    )
