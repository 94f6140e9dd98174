"""The limit: granian (RSGI) reads a body and answers as many bytes as a prediction has, and does nothing else."""

from typing import Any

__all__ = ["application"]

ANSWER = b'{"id":"0-1-1234567","value":true,"score":0.9985877352500834,"version":"v2","color":"blue","flags":[]}'


async def application(_: Any, protocol: Any) -> None:
    """Answer one request."""
    await protocol()
    protocol.response_bytes(200, [("content-type", "application/json")], ANSWER)
