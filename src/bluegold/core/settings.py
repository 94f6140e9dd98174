"""Settings: the only reader of the environment."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import msgspec

__all__ = ["Settings", "settings"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the environment may change.  Every variable starts with ``BLUEGOLD_``, but for those of other tools.

    Attributes:
        workspace: folder that holds registry, artefacts, decisions and evidence.
        actor: identity written into the audit trail for commands given at this terminal.
        key, key_file: proof of that identity, or the file that holds it ("-": ask at the terminal).
        relational_url, object_url, key_value_url: stores; empty means the embedded default.
        webhook: URL that gets the alerts of a running server; empty for none.
        mlflow_token: what MLflow's own tools send to a tracking server, from ``MLFLOW_TRACKING_TOKEN``.
        patience: how many times as long as usual a worker may show no pulse before it counts as hung.
    """

    workspace: Path
    actor: str
    key: str = ""
    key_file: str = ""
    relational_url: str = ""
    object_url: str = ""
    key_value_url: str = ""
    webhook: str = ""
    mlflow_token: str = ""
    patience: float = 1.0


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
        key=env.get("BLUEGOLD_KEY", ""),
        key_file=env.get("BLUEGOLD_KEY_FILE", ""),
        relational_url=env.get("BLUEGOLD_RELATIONAL_URL", ""),
        object_url=env.get("BLUEGOLD_OBJECT_URL", ""),
        key_value_url=env.get("BLUEGOLD_KEY_VALUE_URL", ""),
        webhook=env.get("BLUEGOLD_WEBHOOK", ""),
        mlflow_token=env.get("MLFLOW_TRACKING_TOKEN", ""),
        patience=_number(env.get("BLUEGOLD_PATIENCE", ""), 1.0),
    )


def _number(text: str, default: float) -> float:
    try:
        return max(float(text), 0.1)
    except ValueError:
        return default


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
