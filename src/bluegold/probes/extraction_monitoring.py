"""SEC-6: monitoring for model extraction."""

from __future__ import annotations

import msgspec
import numpy as np

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.client import Client
from bluegold.probes.instruments.holdout import holdout
from bluegold.probes.instruments.queries import Queries
from bluegold.probes.scratch import NotMeasured
from bluegold.production.extraction import WINDOW
from bluegold.production.extraction_monitor import ExtractionMonitor, reference
from bluegold.production.results.decision_reader import DecisionReader

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "SEC-6"
MIX = 0.3
ATTACKERS, USERS = 5, 5
PLACEBO, BOUND = 50, 0.04
"""Natural windows, and the share of them that may alarm: one in a hundred, and what chance makes of it."""


def measure(bench: Bench) -> Evidence:
    """Query the served model as users do, and as attacks with made-up records do, and let the monitor read the log.

    Raises:
        NotMeasured: nothing is in production, it did not answer, or too few natural records are known.
    """
    scratch, queries = bench.scratch(), Queries(bench)
    known = reference(scratch.registry, bench.version.ref)
    if known.detector is None:
        raise NotMeasured(
            f"{bench.version.ref} carries too few hold-out records to know made-up ones by",
            way_out="develop it on more rows: 300 in the hold-out are needed",
        )
    monitor = ExtractionMonitor(
        scratch.workspace, lambda _: known, keyed=lambda: True, start=DecisionReader(scratch.workspace.decisions).end()
    )
    made_up = round(WINDOW * MIX)
    for number in range(USERS):
        _ask(bench, f"user-{number}", queries.natural(WINDOW))
    for number in range(ATTACKERS):
        _ask(bench, f"attacker-{number}", queries.natural(WINDOW - made_up) + queries.made_up(made_up))
    accused = {alert.caller for alert in monitor.look()}
    found = sum(f"attacker-{number}" in accused for number in range(ATTACKERS))
    wronged = sum(f"user-{number}" in accused for number in range(USERS))
    matrix, draw = bench.once(holdout).matrix[:, known.columns], np.random.default_rng(11)
    windows = [matrix[draw.choice(len(matrix), WINDOW)] for _ in range(PLACEBO)]
    false = sum(known.detector.judge(window).suspicious for window in windows) / PLACEBO
    return bench.evidence(
        REQUIREMENT,
        found == ATTACKERS and wronged <= 1 and false <= BOUND,
        samples=(USERS + ATTACKERS + PLACEBO) * WINDOW,
        method=f"{ATTACKERS} callers asked {WINDOW} queries with {MIX:.0%} made-up records, {USERS} natural ones only: "
        f"{found} of {ATTACKERS} reported within {WINDOW} queries, {wronged} of {USERS} users accused; "
        f"{false:.1%} of {PLACEBO} further natural windows alarmed. Attacks with natural records alone look natural: "
        f"{_budget(known.budget)}",
        artefact="production/extraction_monitor.py",
    )


def _ask(bench: Bench, caller: str, rows: list[dict[str, object]]) -> None:
    with Client(bench.scratch().endpoint, caller) as client:
        status, answer = client.post("/v1/predict", Queries.body(rows))
    if status != 200:
        raise NotMeasured(f"the scratch server answered {status} to rows of the data: {msgspec.json.encode(answer)!r}")


def _budget(budget: int) -> str:
    if budget:
        return f"beyond {budget:,} different queries a caller and day the budget alarms"
    return "no budget of queries is set (security.query_budget)"
