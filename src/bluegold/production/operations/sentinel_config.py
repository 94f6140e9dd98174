"""What the sentinel is told, and the command line that tells it."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from bluegold.production.operations.processes import Endpoint

__all__ = ["SentinelConfig"]


class SentinelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched, where it answers, and how many seconds lie between two rounds."""

    workspace: Path
    endpoint: Endpoint
    every: float

    def command(self) -> list[str]:
        """The command line of a sentinel with this configuration."""
        told = msgspec.json.encode(self, enc_hook=str).decode()
        return [sys.executable, "-m", "bluegold.production.operations.sentinel", told]
