"""What the anchoring process is told, and the command line that tells it."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

__all__ = ["AnchorConfig"]


class AnchorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Whose decision logs are anchored, the board of the server, and how many seconds lie between two anchors.

    Example:
        >>> config = AnchorConfig(workspace=Path("w"), board=Path("b"), every=5.0)
        >>> AnchorConfig.read(config.command()[-1]) == config
        True
    """

    workspace: Path
    board: Path
    every: float

    def command(self) -> list[str]:
        """The command line of an anchoring process with this configuration."""
        told = msgspec.json.encode(self, enc_hook=str).decode()
        return [sys.executable, "-m", "bluegold.production.anchoring", told]

    @staticmethod
    def read(text: str) -> AnchorConfig:
        """The configuration that :meth:`command` wrote."""
        return msgspec.json.decode(text, type=AnchorConfig, dec_hook=lambda kind, value: kind(value))
