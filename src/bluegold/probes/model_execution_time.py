"""AP-3: model execution time."""

from __future__ import annotations

import time

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.client import Client, bodies
from bluegold.probes.instruments.holdout import holdout
from bluegold.probes.instruments.scale import seconds
from bluegold.probes.scratch import NotMeasured

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "AP-3"
REQUESTS = 400
BATCH = 10_000


def measure(bench: Bench) -> Evidence:
    """Time governed predictions over HTTP, one after the other; one batch counts where the topology is batch.

    Raises:
        NotMeasured: nothing is in production, or the scratch server refuses a request.
    """
    matrix = bench.once(holdout).matrix[:BATCH]
    batch = seconds(lambda: bench.bundle.predictor.scores(matrix))
    payloads, took = bodies(bench), []
    with Client(bench.scratch().endpoint, "probe") as client:
        for number in range(REQUESTS):
            began = time.perf_counter()
            status, answer = client.post("/v1/predict", payloads[number % len(payloads)])
            took.append(time.perf_counter() - began)
            if status != 200:
                raise NotMeasured(f"the scratch server answered {status}: {str(answer)[:200]}")
    took.sort()
    p99 = took[int(REQUESTS * 0.99)]
    waited = "batch" if bench.plan is not None and bench.plan.topology == "batch" else "answer"
    return bench.evidence(
        REQUIREMENT,
        batch if waited == "batch" else p99,
        samples=REQUESTS + len(matrix),
        method=f"{REQUESTS} predictions over HTTP, each with its decision durable before the answer: "
        f"p50 {took[REQUESTS // 2] * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms; one batch of {len(matrix):,} rows through "
        f"the model {batch * 1e3:.1f} ms; somebody waits for one {waited}, so that counts",
        artefact="production/flow.py",
    )
