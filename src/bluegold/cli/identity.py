"""Who gives a command: the name that was given, or whoever the key belongs to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bluegold.cli.terminal import actor_name, workspace_path
from bluegold.core.settings import settings

if TYPE_CHECKING:
    from bluegold.core.workspace import Workspace
    from bluegold.registry import Registry
    from bluegold.security.access import Action

__all__ = ["Governed", "governed", "permitted"]


class Governed(NamedTuple):
    """An open registry with its workspace, and who acts in it."""

    registry: Registry
    space: Workspace
    who: str


@contextlib.contextmanager
def governed(
    workspace: Path | None, actor: str | None = None, *, may: tuple[Action, ...] = (), create: bool = False
) -> Iterator[Governed]:
    """Open a workspace's registry in the name of whoever gives the command.

    Where the workspace has users that is the holder of the key (``BLUEGOLD_KEY_FILE``); without a key that holds,
    nothing can be changed.  Elsewhere it is whoever is named.

    Args:
        workspace: ``--workspace``, when it was given.
        actor: ``--actor``, when it was given.
        may: what the verb does where the registry itself does not ask: any one of these must be allowed.
        create: make the workspace where there is none.

    Raises:
        WorkspaceError: there is no workspace.
        UsageError: the name is no usable identity.
        AccessDenied: the key is somebody else's, cannot be read, or its holder may not do that.
    """
    from bluegold.core.workspace import Workspace
    from bluegold.registry import Registry

    path = workspace_path(workspace)
    space = Workspace.create(path) if create else Workspace.open(path)
    with Registry.open(space, actor=actor_name(None)) as registry:
        who = _who(registry, actor)
        if may:
            registry.access.require(who, *may)
        yield Governed(registry, space, who)


def permitted(space: Workspace, *may: Action) -> str:
    """Who gives a command that must work while the registry is away; the signed copy of its users is asked.

    Args:
        space: the workspace.
        may: what the verb does; any one of these must be allowed.

    Raises:
        UsageError: the name is no usable identity.
        AccessDenied: the workspace has users, and no key of one who may do that was given.
    """
    from bluegold.core.errors import AccessDenied
    from bluegold.security.access import ROLES
    from bluegold.security.identities import Identities
    from bluegold.security.proof import Proof, presented_key

    identities = Identities.open(space)
    if not identities.active:
        return actor_name(None)
    found = Proof(identities, presented_key, lambda: None).identity()
    if not any(found.may(action) for action in may):
        able = ", ".join(sorted(role for role in ROLES if ROLES[role] & set(may)))
        raise AccessDenied(
            f"'{found.name}' may not {may[0]}",
            why=f"the roles of '{found.name}' are {', '.join(found.roles)}",
            way_out=f"ask somebody who is {able}",
            subject=found.name,
        )
    return found.name


def _who(registry: Registry, given: str | None) -> str:
    """Whoever the key belongs to, or whoever is named; a key is asked for only where there are users."""
    from bluegold.security.proof import presented_key

    chosen = settings()
    named = "" if given is None else actor_name(given)
    key = presented_key() if registry.access.proven and (chosen.key or chosen.key_file) else ""
    return registry.act_as(named, key)
