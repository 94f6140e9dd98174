"""CP-3: financial identification data encrypted at rest."""

from __future__ import annotations

import msgspec

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.client import Client
from bluegold.probes.instruments.personal import found_in, made_up, training_values
from bluegold.probes.scratch import NotApplicable, NotMeasured
from bluegold.production.results.decision_reader import DecisionReader
from bluegold.production.results.results_store import ResultsStore
from bluegold.production.veil import disclosed
from bluegold.security.sealing import KeyRing

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "CP-3"
SENT = 5


def measure(bench: Bench) -> Evidence:
    """Send identifiers in, then search every file of the served copy for them, and the workspace for those of training.

    Raises:
        NotApplicable: no field of the contract is marked ``financial_id``.
        NotMeasured: nothing is in production, or it did not answer.
    """
    if not any(field.financial_id for field in bench.program.contract.fields):
        raise NotApplicable("no field of its contract is marked financial_id")
    scratch = bench.scratch()
    sent = made_up(bench, financial=True, count=SENT)
    with Client(scratch.endpoint) as client:
        answers = [client.post("/v1/predict", one.body) for one in sent]
    if any(status != 200 for status, _ in answers):
        raise NotMeasured(f"the scratch server answered {[status for status, _ in answers]} to made-up values")
    ResultsStore(scratch.workspace).export()
    values = [value for one in sent for value in one.values.values()]
    read, hits = found_in(scratch.workspace.root, values)
    known = training_values(bench)
    more, leaks = found_in(bench.workspace.root, known) if known else (0, [])
    ring, reader = KeyRing(scratch.workspace.keys), DecisionReader(scratch.workspace.decisions)
    kept = [(reader.get(answer["id"]), one) for one, (_, answer) in zip(sent, answers, strict=True)]
    lost = [
        name
        for record, one in kept
        for name, value in one.values.items()
        if record is None or value not in msgspec.json.encode(disclosed(record, ring)).decode()
    ]
    wrong = [f"in the open in {hit}" for hit in (*hits, *leaks)]
    wrong += [f"{name} cannot be decrypted with the key" for name in lost]
    said = f"not held: {wrong[0]} ({len(wrong)} in all)" if wrong else "none was found, and the key opens every one"
    return bench.evidence(
        REQUIREMENT,
        not wrong,
        samples=read + more,
        method=f"{len(values)} made-up identifiers sent in and {len(known)} of the training data, looked for in the "
        f"bytes of {read + more:,} files of workspace and served copy (Parquet and Arrow decoded): {said}",
        artefact="decisions",
    )
