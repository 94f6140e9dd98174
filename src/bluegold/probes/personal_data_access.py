"""CP-1: only authorised users see personal data."""

from __future__ import annotations

import msgspec

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.guarded import Guarded, guarded
from bluegold.probes.instruments.personal import Sent, made_up
from bluegold.probes.scratch import NotApplicable, NotMeasured
from bluegold.production.results.decision_reader import DecisionReader
from bluegold.production.results.results_store import ResultsStore
from bluegold.security.access import ROLES

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "CP-1"
OPEN_TO_ALL = ("/v1/health", "/v1/rollout", "/openapi.json")
AUTHORISED = frozenset(role for role, may in ROLES.items() if {"decisions", "personal"} <= may)


def measure(bench: Bench) -> Evidence:
    """Send personal values in, then read the decision with every role, with no key, and from the exported results.

    Raises:
        NotApplicable: no field of the contract is marked.
        NotMeasured: nothing is in production, or it did not answer.
    """
    if not bench.program.contract.marked:
        raise NotApplicable("no field of its contract is marked personal or financial_id")
    server = bench.once(guarded)
    [sent] = made_up(bench)
    status, answer = server.ask("application", "POST", "/v1/predict", sent.body)
    decision = answer.get("id", "") if isinstance(answer, dict) else ""
    if status != 200 or not decision:
        raise NotMeasured(f"the copy answered {status} to a body with made-up values")
    wrong = [*_over_http(server, sent, decision), *_exported(server, sent, decision)]
    tried = len(server.keys) * 4 + 1
    said = f"not held: {wrong[0]}" if wrong else "only they did"
    return bench.evidence(
        REQUIREMENT,
        not wrong,
        samples=tried,
        method=f"made-up values in {', '.join(sent.values)} sent in; the decision, {', '.join(OPEN_TO_ALL)} read with "
        f"a key of every role, without a key, with a made-up and an expired one, and the exported results: "
        f"{', '.join(sorted(AUTHORISED))} must see them, everybody else pseudonyms: {said}",
        artefact="decisions",
    )


def _over_http(server: Guarded, sent: Sent, decision: str) -> list[str]:
    """Who saw too much, and who should have seen and did not."""
    wrong = []
    for who in server.keys:
        for path in (f"/v1/decisions/{decision}", *OPEN_TO_ALL):
            status, shown = server.ask(who, "GET", path)
            text = msgspec.json.encode(shown).decode()
            seen = [name for name, value in sent.values.items() if value in text]
            if who in AUTHORISED and path.startswith("/v1/decisions/"):
                if len(seen) < len(sent.values):
                    wrong.append(f"'{who}' may see personal data and got {status} without it")
            elif seen or "sealed" in text:
                wrong.append(f"'{who}' saw {', '.join(seen) or 'ciphertext'} at {path}")
    return wrong


def _exported(server: Guarded, sent: Sent, decision: str) -> list[str]:
    """Whether the record or its export shows a value."""
    record = DecisionReader(server.workspace.decisions).get(decision)
    store = ResultsStore(server.workspace)
    store.export()
    text = store.query("SELECT * FROM decisions").write_json() + msgspec.json.encode(record).decode()
    return [f"the export shows {name}" for name, value in sent.values.items() if value in text]
