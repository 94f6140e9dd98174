"""A small HTTP client for the scratch server, and request bodies that the measured version understands."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Any

import msgspec

from bluegold.features.row import RowProgram
from bluegold.probes.bench import Bench
from bluegold.production.operations.processes import Endpoint

__all__ = ["Client", "bodies"]

TIMEOUT_S = 10.0


class Client:
    """Sends JSON and reads JSON over one kept connection.

    Args:
        endpoint: the server.
        caller: the name the client gives itself; empty for none.
    """

    def __init__(self, endpoint: Endpoint, caller: str = "") -> None:
        self._connection = endpoint.connect(TIMEOUT_S)
        self._headers = {"content-type": "application/json"} | ({"x-bluegold-caller": caller} if caller else {})

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """Send a body, get status and decoded answer.

        Raises:
            OSError, http.client.HTTPException: the server was not reached, or did not answer.
        """
        return self._ask("POST", path, body, {**self._headers, **(headers or {})})

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """Ask for a document; raises as :meth:`post`."""
        return self._ask("GET", path, None, dict(headers or {}))

    def close(self) -> None:
        """Hang up; the next request connects again."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any]:
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            return response.status, msgspec.json.decode(response.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def bodies(bench: Bench) -> list[bytes]:
    """Request bodies from the version's own known inputs, else the example of its contract."""
    known = [canary.payload for canary in bench.bundle.canaries]
    return [msgspec.json.encode(payload) for payload in known or [RowProgram(bench.program).example()]]
