"""What the drift watch is told, and the command line that tells it."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

__all__ = ["DriftConfig"]


class DriftConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Whose decisions are watched, the board of the server, and how many seconds lie between two looks.

    Example:
        >>> config = DriftConfig(workspace=Path("w"), board=Path("b"), every=5.0)
        >>> DriftConfig.read(config.command()[-1]) == config
        True
    """

    workspace: Path
    board: Path
    every: float

    def command(self) -> list[str]:
        """The command line of a drift watch with this configuration."""
        told = msgspec.json.encode(self, enc_hook=str).decode()
        return [sys.executable, "-m", "bluegold.production.drift_watch", told]

    @staticmethod
    def read(text: str) -> DriftConfig:
        """The configuration that :meth:`command` wrote."""
        return msgspec.json.decode(text, type=DriftConfig, dec_hook=lambda kind, value: kind(value))
