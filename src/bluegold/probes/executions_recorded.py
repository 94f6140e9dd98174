"""SEC-2: every user's date, time and executions recorded."""

from __future__ import annotations

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.client import Client
from bluegold.probes.instruments.faults import drill
from bluegold.probes.instruments.load import Answered
from bluegold.probes.scratch import NotMeasured
from bluegold.production.results.decision_reader import DecisionReader
from bluegold.production.results.records import DecisionRecord

__all__ = ["REQUIREMENT", "measure", "recorded"]

REQUIREMENT = "SEC-2"
ASKED = 20


def measure(bench: Bench) -> Evidence:
    """Look up every request that named callers got an answer to while workers were being killed.

    Raises:
        NotMeasured: nothing is in production, or nothing was answered.
    """
    answered = bench.once(drill).answered
    if not answered:
        raise NotMeasured("the scratch server answered nothing")
    scratch = bench.scratch()
    reader = DecisionReader(scratch.workspace.decisions)
    wrong = [one.id for one in answered if not recorded(reader.get(one.id), one)]
    with Client(scratch.endpoint) as client:
        for one in answered[:: max(1, len(answered) // ASKED)][:ASKED]:
            status, shown = client.get(f"/v1/decisions/{one.id}")
            if status != 200 or shown.get("id") != one.id:
                wrong.append(one.id)
    said = f"{len(wrong)} were missing or wrong, first {wrong[0]}" if wrong else "all were found and right"
    callers = {one.caller for one in answered}
    return bench.evidence(
        REQUIREMENT,
        not wrong,
        samples=len(answered),
        method=f"{len(answered):,} answered requests of {len(callers)} callers, one of them without a name, while "
        f"workers were killed; caller, date and time, input, version and outcome of each looked up in the log, and "
        f"{min(ASKED, len(answered))} over HTTP: {said}",
        artefact="decisions",
    )


def recorded(record: DecisionRecord | None, made: Answered) -> bool:
    """Whether a record says of a request who asked, when, what, and what was answered by which version.

    Example:
        >>> made = Answered(id="0-1-0", caller="ada", asked_at=1, answered_at=3)
        >>> recorded(None, made)
        False
    """
    return (
        record is not None
        and record.id == made.id
        and made.asked_at <= record.at <= made.answered_at
        and (record.caller.startswith(f"{made.caller}@") if made.caller else bool(record.caller))
        and bool(record.version and record.input_digest and record.payload)
    )
