"""Known answers, asked from outside: every canary record, of every worker, through the real HTTP path."""

from __future__ import annotations

import http.client
import itertools
import time
from collections.abc import Sequence

import msgspec

from bluegold.core.errors import ServingError
from bluegold.core.nouns import Color
from bluegold.production.canary import HEADER, KnownAnswer
from bluegold.production.operations.processes import Endpoint
from bluegold.registry.bundle import CanaryRecord

__all__ = ["KnownAnswers", "ask"]


class KnownAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """What a round of known answers found.  ``wrong`` names the records and what was said instead.

    ``complete`` says whether every worker was reached: nothing is known of one that was not.
    """

    version: str
    asked: int
    correct: int
    wrong: tuple[str, ...]
    workers: tuple[int, ...]
    complete: bool
    seconds: float

    @property
    def ok(self) -> bool:
        """Every worker gave every answer, bit for bit."""
        return self.complete and self.asked > 0 and self.correct == self.asked


def ask(
    endpoint: Endpoint, token: str, records: Sequence[CanaryRecord], color: Color, timeout: float = 5.0
) -> KnownAnswers:
    """Ask each worker each record.

    The kernel spreads connections over the workers, so connections are opened until every worker was met; behind
    an edge every worker has a port of its own.

    Args:
        endpoint: the server.
        token: the installation's canary token.
        records: what to ask, with the recorded scores; they are compared here, not believed.
        color: whose live model is asked.
        timeout: seconds for the whole round.

    Raises:
        ServingError: the server does not answer or refuses.
    """
    began = time.perf_counter()
    met: set[int] = set()
    wrong: list[str] = []
    asked, version = 0, ""
    ports = itertools.cycle(endpoint.direct or (endpoint.port,))
    while len(met) < endpoint.workers and records and time.perf_counter() - began < timeout:
        connection = endpoint.connect(timeout, next(ports))
        try:
            for index, record in enumerate(records):
                answer = _ask_one(connection, token, record.id, color)
                if index == 0 and answer.worker in met:
                    break
                met.add(answer.worker)
                version = answer.version
                asked += 1
                if answer.score != record.score:
                    said = f"{record.id}: {answer.score!r} instead of {record.score!r}"
                    wrong.append(f"{said} (worker {answer.worker})")
        finally:
            connection.close()
    return KnownAnswers(
        version=version,
        asked=asked,
        correct=asked - len(wrong),
        wrong=tuple(wrong[:20]),
        workers=tuple(sorted(met)),
        complete=len(met) >= endpoint.workers,
        seconds=time.perf_counter() - began,
    )


def _ask_one(connection: http.client.HTTPConnection, token: str, record: str, color: Color) -> KnownAnswer:
    body = msgspec.json.encode({"canary": record, "color": color})
    try:
        connection.request("POST", "/v1/predict", body, {HEADER: token, "content-type": "application/json"})
        response = connection.getresponse()
        text = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise ServingError("the server does not give known answers", why=str(error) or type(error).__name__) from error
    if response.status != 200:
        raise ServingError(
            f"the server refused known answer '{record}' of {color} with status {response.status}",
            why=text[:300].decode("utf-8", "replace"),
        )
    return msgspec.json.decode(text, type=KnownAnswer)
