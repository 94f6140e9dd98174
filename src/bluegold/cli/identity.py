"""Who gives a command: the name that was given, or whoever the key belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bluegold.cli.terminal import actor_name
from bluegold.core.settings import settings

if TYPE_CHECKING:
    from bluegold.core.workspace import Workspace

__all__ = ["acting"]


def acting(given: str | None, space: Workspace) -> str:
    """The identity a verb acts under in a workspace; what it may change there is checked when it changes it.

    Args:
        given: ``--actor``, when it was given.
        space: the workspace.

    Raises:
        UsageError: the name is no usable identity.
        AccessDenied: a key was given and its file cannot be read.
    """
    chosen = settings()
    if given is None and (chosen.key or chosen.key_file):
        from bluegold.security.identities import Identities
        from bluegold.security.proof import presented_key

        found = Identities.open(space).identify(presented_key())
        if found is not None:
            return found.name
    return actor_name(given)
