"""Settings: the only reader of the environment."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import msgspec

__all__ = ["Settings", "settings"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the environment may change.  Every variable starts with ``BLUEGOLD_``.

    Attributes:
        workspace: folder that holds registry, artefacts, decisions and evidence.
        actor: identity written into the audit trail for commands given at this terminal.
        relational_url, object_url, key_value_url: stores; empty means the embedded default.
    """

    workspace: Path
    actor: str
    relational_url: str = ""
    object_url: str = ""
    key_value_url: str = ""


def settings() -> Settings:
    """Read the settings from the environment.

    Example:
        >>> settings().workspace.name != ""
        True
    """
    env = os.environ
    return Settings(
        workspace=Path(env.get("BLUEGOLD_WORKSPACE", "workspace")),
        actor=env.get("BLUEGOLD_ACTOR") or _login(),
        relational_url=env.get("BLUEGOLD_RELATIONAL_URL", ""),
        object_url=env.get("BLUEGOLD_OBJECT_URL", ""),
        key_value_url=env.get("BLUEGOLD_KEY_VALUE_URL", ""),
    )


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
