"""The table of probes, and the one call that runs them and writes what they found into the ledger."""

from __future__ import annotations

import http.client
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import polars as pl

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import Evidence
from bluegold.probes import (
    area_under_roc_curve,
    availability,
    data_cleansing_time,
    data_store_transactions,
    data_transformation_time,
    decision_audit_trail,
    drift_detection_delay,
    end_user_write_time,
    executions_recorded,
    explainability,
    fairness,
    feature_isolation,
    governance_review,
    health_update_interval,
    model_accuracy,
    model_execution_time,
    no_single_point_of_failure,
    patching_without_interruption,
    pipeline_operations_update_time,
    results_store_write_time,
    robustness,
    safe_configuration_time,
    security_patch_time,
    time_to_detect_fault,
    time_to_restore,
    time_to_update,
    version_lineage,
)
from bluegold.probes.bench import Bench
from bluegold.probes.scratch import NotMeasured
from bluegold.probes.unmeasured import UNMEASURED
from bluegold.requirements.catalog import catalog, requirement
from bluegold.requirements.ledger import Ledger

__all__ = ["PROBES", "prove"]

#: requirement -> probe, in the order they run: what counts time before the scratch server takes part of the machine,
#: a cold change of version before anything else on that server, what ruins it last
PROBES: dict[str, Any] = {
    module.REQUIREMENT: module
    for module in (
        data_cleansing_time,
        data_transformation_time,
        results_store_write_time,
        end_user_write_time,
        data_store_transactions,
        drift_detection_delay,
        model_accuracy,
        area_under_roc_curve,
        fairness,
        explainability,
        robustness,
        version_lineage,
        governance_review,
        time_to_update,
        model_execution_time,
        pipeline_operations_update_time,
        safe_configuration_time,
        availability,
        health_update_interval,
        feature_isolation,
        time_to_detect_fault,
        time_to_restore,
        security_patch_time,
        patching_without_interruption,
        executions_recorded,
        decision_audit_trail,
        no_single_point_of_failure,
    )
}

#: What can go wrong in a probe without being a fault of this program; it is said in the evidence.
TROUBLE = (
    ArithmeticError,
    BluegoldError,
    LookupError,
    OSError,
    ValueError,
    http.client.HTTPException,
    pl.exceptions.PolarsError,
    sqlite3.Error,
)


def prove(
    bench: Bench, ids: Sequence[str] | None = None, on_event: Callable[[Evidence], None] | None = None
) -> tuple[Evidence, ...]:
    """Run the probes, append what they measured to the ledger, and say why the rest needs instrumentation.

    Args:
        bench: the system; it is closed afterwards.
        ids: only these requirements, upper or lower case; all by default.
        on_event: told of each piece of evidence as it comes.

    Returns:
        one piece of evidence for each requirement, in catalogue order; the ledger gets the measurements among them.

    Raises:
        UsageError: an id is no requirement, or several models are there and no definition says which is meant.
        WorkspaceError: the ledger cannot be written.
    """
    with bench:
        with suppress(NotMeasured):
            _ = bench.model  # several models are a wrong call, not a finding about each requirement
        chosen = {requirement(one, bench.plan).id for one in ids or ()}
        rows = [row.id for row in catalog(bench.plan) if row.id in chosen or not chosen]
        ledger = Ledger(bench.workspace.evidence)
        found = {}
        for one in [*(one for one in PROBES if one in rows), *(one for one in UNMEASURED if one in rows)]:
            found[one] = evidence = _measured(bench, one)
            if evidence.value is not None:
                ledger.record(evidence)
            if on_event is not None:
                on_event(evidence)
        return tuple(found[one] for one in rows)


def _measured(bench: Bench, identifier: str) -> Evidence:
    probe = PROBES.get(identifier)
    if probe is None:
        return bench.unmeasured(identifier, UNMEASURED[identifier])
    try:
        evidence: Evidence = probe.measure(bench)
    except TROUBLE as error:
        said = str(error) if isinstance(error, BluegoldError) else f"{type(error).__name__}: {error}"
        return bench.unmeasured(identifier, f"could not be measured: {' '.join(said.split())}")
    return evidence
