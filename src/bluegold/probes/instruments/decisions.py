"""Decision records like the ones this system writes, for probes of the results store."""

from __future__ import annotations

import hashlib

import msgspec

from bluegold.probes.bench import Bench
from bluegold.probes.scratch import NotMeasured
from bluegold.production.results.records import DecisionRecord, Other, microseconds

__all__ = ["records"]


def records(bench: Bench, count: int) -> list[DecisionRecord]:
    """Complete records made from the version's known inputs, the size that real ones have.

    Raises:
        NotMeasured: the version has no known inputs.
    """
    bundle = bench.bundle
    if not bundle.canaries:
        raise NotMeasured("the version has no canary records to make decisions of")
    version, model = bench.version.version, bench.version.model
    found = []
    for number in range(count):
        known = bundle.canaries[number % len(bundle.canaries)]
        payload = msgspec.json.encode(known.payload)
        value, score = bundle.decision.answer(known.score)
        found.append(
            DecisionRecord(
                at=microseconds(),
                model=model,
                version=version,
                color="blue",
                value=value,
                score=score,
                request=f"probe-{number}",
                entity=f"entity-{number % 1000}",
                other=Other(color="gold", version=version, value=value, score=score),
                payload=msgspec.Raw(payload),
                vector=list(known.vector),
                input_digest=hashlib.sha256(payload).hexdigest(),
                features_digest=bench.program.digest,
                caller="probe@127.0.0.1",
            )
        )
    return found
