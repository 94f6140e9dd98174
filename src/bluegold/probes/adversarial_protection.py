"""SEC-4: protection against adversarial attacks."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.client import Client
from bluegold.probes.instruments.queries import Queries
from bluegold.probes.scratch import NotMeasured

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "SEC-4"
ROWS, MOST, ALLOWED = 3, 150, 100
USER_QUERIES = 150


class Attacked(msgspec.Struct, frozen=True, kw_only=True):
    """One attack: queries that were answered, whether it was refused, and how much of the way to its record it went."""

    queries: int
    refused: bool
    nearer: float


def measure(bench: Bench) -> Evidence:
    """Walk along the boundary of the served model with answers alone, row by row; then query as a user does.

    Raises:
        NotMeasured: nothing is in production, the contract has no numbers, or all records get the same answer.
    """
    queries = Queries(bench)
    fields = [one.name for one in bench.program.contract.fields if one.kind == "number" and not one.integer]
    if not fields:
        raise NotMeasured("the contract has no numbers to walk along")
    ends = _ends(bench, queries)
    done = [_attack(bench, fields, *pair, caller=f"attacker-{number}") for number, pair in enumerate(ends)]
    refused = 0
    with Client(bench.scratch().endpoint, "user") as client:
        for row in queries.natural(USER_QUERIES):
            refused += client.post("/v1/predict", json.dumps(row).encode())[0] == 429
    stopped = sum(one.refused and one.queries < ALLOWED for one in done)
    longest = max(one.queries for one in done)
    nearer = float(np.mean([one.nearer for one in done]))
    switched = "" if bench.bundle.chain_guard == "refuse" else "; the plan leaves security.chain_guard off"
    return bench.evidence(
        REQUIREMENT,
        stopped == len(done) and not refused,
        samples=sum(one.queries for one in done) + USER_QUERIES,
        method=f"{len(done)} decision-based attacks over HTTP (binary search to the boundary, then steps estimated "
        f"from answers): {stopped} refused before {ALLOWED} queries, the longest got {longest} answers, on average "
        f"they came {nearer:.0%} nearer to their record; {refused} "
        f"of {USER_QUERIES} queries of a user refused{switched}",
        artefact="production/chain_guard.py",
    )


def _ends(bench: Bench, queries: Queries) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs of natural records with different answers."""
    rows = queries.natural(200)
    with Client(bench.scratch().endpoint, "scout") as client:
        status, answer = client.post("/v1/predict", Queries.body(rows))
    if status != 200:
        raise NotMeasured(f"the scratch server answered {status} to records of the system's data")
    values = [one["value"] for one in answer["rows"]]
    first = [row for row, value in zip(rows, values, strict=True) if value == values[0]]
    other = [row for row, value in zip(rows, values, strict=True) if value != values[0]]
    if not other:
        raise NotMeasured("all natural records that were tried get the same answer")
    return list(zip(first[:ROWS], (other * ROWS)[:ROWS], strict=False))


def _attack(bench: Bench, fields: list[str], target: dict[str, Any], start: dict[str, Any], *, caller: str) -> Attacked:
    """Go from a record with another answer towards the target, keeping that answer."""
    with Client(bench.scratch().endpoint, caller) as client:
        walk = _Walk(client, fields, target, start)
        try:
            walk.go()
        except _RefusedError:
            return Attacked(queries=walk.queries, refused=True, nearer=walk.nearer)
        except _OverError:
            pass
    return Attacked(queries=walk.queries, refused=False, nearer=walk.nearer)


class _RefusedError(Exception):
    """The caller has to wait: the attack was stopped."""


class _OverError(Exception):
    """All queries are used up."""


class _Walk:
    """A decision-based attack after HopSkipJump, with a bounded number of queries."""

    def __init__(self, client: Client, fields: list[str], target: dict[str, Any], start: dict[str, Any]) -> None:
        self._client, self._fields, self._start = client, fields, start
        self._goal = np.array([float(target[name] or 0.0) for name in fields])
        self._at = np.array([float(start[name] or 0.0) for name in fields])
        self._size = np.maximum(np.abs(self._goal - self._at), 1e-9)
        self._value: object = None
        self._draw = np.random.default_rng(5)
        self.queries = 0

    @property
    def nearer(self) -> float:
        """The share of the way that is done."""
        return 1.0 - float(np.linalg.norm((self._at - self._goal) / self._size) / np.sqrt(len(self._goal)))

    def go(self) -> None:
        """Until refused, or all queries are used up."""
        self._value = self._ask(self._at)
        while True:
            self._search()
            self._step()

    def _search(self) -> None:
        """Halve the way to the target again and again, as far as the answer stays."""
        low, high = 0.0, 1.0
        for _ in range(8):
            middle = (low + high) / 2
            if self._ask(self._at + middle * (self._goal - self._at)) == self._value:
                low = middle
            else:
                high = middle
        self._at = self._at + low * (self._goal - self._at)

    def _step(self) -> None:
        """Estimate which way the answer is safer, from answers around this point, and go a little there."""
        ways = self._draw.normal(size=(20, len(self._at)))
        kept = np.array([self._ask(self._at + 0.02 * self._size * way) == self._value for way in ways])
        slope = (ways * np.where(kept, 1.0, -1.0)[:, None]).mean(axis=0)
        length = float(np.linalg.norm(slope)) or 1.0
        forward = self._at + 0.1 * self._size * slope / length
        if self._ask(forward) == self._value:
            self._at = forward

    def _ask(self, point: NDArray[np.float64]) -> object:
        if self.queries >= MOST:
            raise _OverError
        row = {**self._start, **dict(zip(self._fields, point.tolist(), strict=True))}
        status, answer = self._client.post("/v1/predict", json.dumps(row).encode())
        if status == 429:
            raise _RefusedError
        self.queries += 1
        return answer.get("value") if status == 200 else None
