"""AP-11: fairness across demographic groups."""

from __future__ import annotations

import polars as pl

from bluegold.core.nouns import Evidence
from bluegold.development.verification.fairness import group_rates, judge
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.holdout import holdout
from bluegold.probes.scratch import NotMeasured

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-11"


def measure(bench: Bench) -> Evidence:
    """Compare the hold-out decisions between protected groups by the plan's criterion; the worst attribute counts.

    Raises:
        NotMeasured: nothing is in production, no definition was given, it protects nothing, or a protected
            attribute has fewer than two groups with enough rows.
    """
    plan, protected = bench.system.plan.fairness, bench.system.protected
    if not protected:
        raise NotMeasured("the system names no protected attribute", way_out="name them with protected=(...)")
    held = bench.once(holdout)
    found = {}
    for name in protected:
        if name not in held.table.columns:
            raise NotMeasured(f"the hold-out of {bench.version.ref} has no column '{name}'")
        groups = held.table[name].cast(pl.String).fill_null("missing").to_numpy()
        found[name] = judge(group_rates(held.labels, held.decided, groups), plan.criterion, plan.min_group)
    thin = [name for name, one in found.items() if one["parity"] is None]
    if thin:
        raise NotMeasured(f"'{thin[0]}' has fewer than two groups of {plan.min_group} rows or more in the hold-out")
    parts = ", ".join(f"{name} {one['parity']:.1f}" for name, one in found.items())
    return bench.evidence(
        REQUIREMENT,
        min(one["parity"] for one in found.values()),
        samples=held.table.height,
        method=f"{plan.criterion.replace('_', ' ')} of the hold-out decisions, % parity: {parts}",
        artefact="holdout.parquet",
    )
