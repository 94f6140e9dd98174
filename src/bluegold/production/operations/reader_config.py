"""What a process that reads beside the server is told, and the command line that tells it."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

__all__ = ["ReaderConfig"]


class ReaderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Whose decisions are read, the board of the server, and how many seconds lie between two rounds.

    Example:
        >>> config = ReaderConfig(workspace=Path("w"), board=Path("b"), every=5.0)
        >>> ReaderConfig.read(config.command("bluegold.production.anchoring")[-1]) == config
        True
    """

    workspace: Path
    board: Path
    every: float

    def command(self, module: str) -> list[str]:
        """The command line of a process of this module with this configuration."""
        told = msgspec.json.encode(self, enc_hook=str).decode()
        return [sys.executable, "-m", module, told]

    @staticmethod
    def read(text: str) -> ReaderConfig:
        """The configuration that :meth:`command` wrote."""
        return msgspec.json.decode(text, type=ReaderConfig, dec_hook=lambda kind, value: kind(value))
