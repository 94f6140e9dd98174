"""Canary records over HTTP: the header, the installation's token, and what an answer says."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

from bluegold.core.errors import WorkspaceError
from bluegold.core.nouns import Color
from bluegold.core.workspace import write_atomic
from bluegold.registry.predictors.protocol import Score

__all__ = ["HEADER", "KnownAnswer", "canary_token"]

HEADER = "x-bluegold-canary"
"""The header that carries the installation's token."""


class KnownAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a live model said about a canary record.  ``correct`` means: bit for bit what was recorded."""

    canary: str
    color: Color
    version: str
    score: Score
    expected: Score
    correct: bool
    worker: int
    id: str = ""
    latency_us: int = 0


def canary_token(keys: Path) -> str:
    """The token of this installation, made on first use (file mode 0600).

    Raises:
        WorkspaceError: it can neither be read nor made.

    Example:
        >>> import tempfile
        >>> keys = Path(tempfile.mkdtemp())
        >>> canary_token(keys) == canary_token(keys)
        True
    """
    path = keys / "canary.token"
    try:
        if not path.exists():
            keys.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = keys / f".canary.{os.getpid()}"
            write_atomic(fresh, secrets.token_urlsafe(32).encode())
            fresh.chmod(0o600)
            try:
                path.hardlink_to(fresh)  # fails when another process was first: then its token counts
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(
            f"the canary token '{path}' cannot be read or made", why=str(error), way_out="fix its owner and rights"
        ) from error
