"""SEC-1: public-key infrastructure on external interfaces."""

from __future__ import annotations

import contextlib
import http.client
import ssl
from pathlib import Path

from bluegold.core.nouns import Evidence, TrafficSplit
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.authority import Authority
from bluegold.probes.scratch import ACTOR
from bluegold.production.operations.processes import Endpoint
from bluegold.production.operations.supervisor import Supervisor
from bluegold.registry.registry import Registry

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "SEC-1"
TIMEOUT_S = 10.0


def measure(bench: Bench) -> Evidence:
    """Call the running server in the open; and a copy served with certificates, with a good, no and bad ones.

    Raises:
        NotMeasured: nothing is in production.
        ServingError: the copy cannot be served.
    """
    if bench.endpoint is not None and not bench.endpoint.tls:
        held = not _answers(bench.endpoint, None)
        return bench.evidence(
            REQUIREMENT,
            held,
            samples=1,
            method="the running server was called without TLS: it answered; start it with --tls-cert, --tls-key and "
            "--client-ca",
            artefact="run/supervisor.json",
        )
    tried, wrong = _attacked(bench)
    served = "the running server ends TLS" if bench.endpoint else "no server runs here now: start it with these options"
    said = f"not held: {wrong[0]}" if wrong else "all but the right one were refused"
    return bench.evidence(
        REQUIREMENT,
        not wrong,
        samples=tried,
        method=f"a copy served with --tls-cert, --tls-key and --client-ca, called without TLS, with no certificate, an "
        f"expired one, one of another authority and a right one; and the server's own checked by the client: {said}; "
        f"{served}",
        artefact="run/supervisor.json",
    )


def _attacked(bench: Bench) -> tuple[int, list[str]]:
    """How many ways in were tried, and what should not have been answered, or should and was not."""
    with bench.copy() as space, bench.folder() as folder:
        ours, theirs = Authority(folder, "ours"), Authority(folder, "theirs")
        cert, key = ours.give("server")
        blue = bench.version
        with Registry.open(space, actor=ACTOR) as registry:
            registry.traffic.set(
                TrafficSplit(model=blue.model, revision=0, blue=blue.ref, reason="a server for probes")
            )
        options = ("--alone", "--tls-cert", str(cert), "--tls-key", str(key), "--client-ca", str(ours.file))
        with Supervisor(space, blue.model, 0, 1, "127.0.0.1", *options) as endpoint:
            ways: list[tuple[str, ssl.SSLContext | None, bool]] = [
                ("without TLS", None, False),
                ("without a certificate", _context(ours), False),
                ("with an expired certificate", _context(ours, ours.give("late", days=-1)), False),
                ("with a certificate of another authority", _context(ours, theirs.give("stranger")), False),
                ("as a client that trusts another authority", _context(theirs, ours.give("one")), False),
                ("with a right certificate", _context(ours, ours.give("shop")), True),
            ]
            wrong = [
                f"a call {what} was {'refused' if expected else 'answered'}"
                for what, context, expected in ways
                if _answers(endpoint, context) is not expected
            ]
    return len(ways), wrong


def _context(trusted: Authority, own: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(trusted.file))
    if own is not None:
        context.load_cert_chain(*own)
    return context


def _answers(endpoint: Endpoint, context: ssl.SSLContext | None) -> bool:
    """Whether a server answers a call."""
    connection: http.client.HTTPConnection
    if context is None:
        connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=TIMEOUT_S)
    else:
        connection = http.client.HTTPSConnection("localhost", endpoint.port, timeout=TIMEOUT_S, context=context)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/v1/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
