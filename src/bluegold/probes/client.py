"""A small HTTP client for the scratch server."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Any

import msgspec

from bluegold.features.row import RowProgram
from bluegold.probes.bench import Bench
from bluegold.production.operations.processes import Endpoint

__all__ = ["example", "get", "post"]


def post(endpoint: Endpoint, path: str, body: Any, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    """Send JSON, get status and decoded answer; each call is a connection of its own."""
    return _ask(
        endpoint, "POST", path, msgspec.json.encode(body), {"content-type": "application/json", **(headers or {})}
    )


def get(endpoint: Endpoint, path: str) -> tuple[int, Any]:
    """Ask for a document."""
    return _ask(endpoint, "GET", path, None, {})


def example(bench: Bench) -> dict[str, Any]:
    """A request body that works."""
    return RowProgram(bench.program).example()


def _ask(endpoint: Endpoint, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=5.0)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, msgspec.json.decode(response.read())
    finally:
        connection.close()
