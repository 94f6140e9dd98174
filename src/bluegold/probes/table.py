"""The table of probes, and the one call that runs them and writes what they found into the ledger."""

from __future__ import annotations

import http.client
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import polars as pl

from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import Evidence
from bluegold.probes import (
    adversarial_protection,
    area_under_roc_curve,
    availability,
    data_access_controls,
    data_cleansing_time,
    data_store_transactions,
    data_transformation_time,
    decision_audit_trail,
    drift_detection_delay,
    encrypted_at_rest,
    encrypted_in_use,
    end_user_write_time,
    executions_recorded,
    explainability,
    extraction_monitoring,
    fairness,
    feature_isolation,
    governance_review,
    health_update_interval,
    model_accuracy,
    model_execution_time,
    no_single_point_of_failure,
    patching_without_interruption,
    personal_data_access,
    pipeline_operations_update_time,
    public_key_infrastructure,
    results_store_write_time,
    robustness,
    safe_configuration_time,
    security_patch_time,
    time_to_detect_fault,
    time_to_restore,
    time_to_update,
    transactions_archived,
    version_lineage,
)
from bluegold.probes.bench import Bench
from bluegold.probes.scratch import NotApplicable, NotMeasured
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
        extraction_monitoring,
        adversarial_protection,
        time_to_detect_fault,
        time_to_restore,
        security_patch_time,
        patching_without_interruption,
        executions_recorded,
        decision_audit_trail,
        encrypted_at_rest,
        encrypted_in_use,
        transactions_archived,
        personal_data_access,
        data_access_controls,
        public_key_infrastructure,
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
    """Run the probes, append what they found to the ledger, and say what could not be measured and why.

    Args:
        bench: the system; it is closed afterwards.
        ids: only these requirements, upper or lower case; all by default.
        on_event: told of each piece of evidence as it comes.

    Returns:
        one piece of evidence for each requirement, in catalogue order; the ledger gets the measurements among them.

    Raises:
        UsageError: an id is no requirement, or several models are there and no definition says which is meant.
        WorkspaceError: the ledger cannot be written.
        AccessDenied: the registry's actor may not, or did not prove to be that; evidence stands in somebody's name.
    """
    with bench:
        bench.registry.access.require(bench.registry.actor, "gate", "review")
        with suppress(NotMeasured):
            _ = bench.model  # several models are a wrong call, not a finding about each requirement
        chosen = {requirement(one, bench.plan).id for one in ids or ()}
        rows = [row.id for row in catalog(bench.plan) if row.id in chosen or not chosen]
        ledger = Ledger(bench.workspace.evidence)
        found = {}
        for one in (one for one in PROBES if one in rows):
            found[one] = evidence = _measured(bench, one)
            if evidence.value is not None or evidence.verdict == "not applicable":
                ledger.record(msgspec.structs.replace(evidence, actor=bench.registry.actor))
            if on_event is not None:
                on_event(evidence)
        return tuple(found[one] for one in rows)


def _measured(bench: Bench, identifier: str) -> Evidence:
    try:
        evidence: Evidence = PROBES[identifier].measure(bench)
    except NotApplicable as error:
        found = bench.unmeasured(identifier, f"not applicable because {error.what}")
        return msgspec.structs.replace(found, verdict="not applicable")  # which is not the same as met
    except TROUBLE as error:
        said = str(error) if isinstance(error, BluegoldError) else f"{type(error).__name__}: {error}"
        return bench.unmeasured(identifier, f"could not be measured: {' '.join(said.split())}")
    return evidence
