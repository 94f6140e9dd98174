"""`bluegold user`: let people and applications in, see who is in, take a key away."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, cast

import typer

from bluegold.cli.identity import governed
from bluegold.cli.terminal import ActorOption, JsonOption, WorkspaceOption, emit, say, workspace_path

if TYPE_CHECKING:
    from bluegold.security.access import Role
    from bluegold.security.identities import User

__all__ = ["user"]

user = typer.Typer(no_args_is_help=True, help="Let people and applications in, see who is in, take a key away.")


@user.command("add")
def user_add(
    name: Annotated[str, typer.Argument(help="As the audit trail will show it.")],
    *,
    role: Annotated[list[str], typer.Option("--role", help="What they are; may be given several times.")],
    days: Annotated[int, typer.Option("--days", min=0, help="The key expires after so many days; 0 for never.")] = 0,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a user and print their key, once; from the first user on, a name without a key changes nothing."""
    from bluegold.core.nouns import now

    expires = (now() + dt.timedelta(days=days)).timestamp() if days else None
    with governed(workspace, actor, create=True) as (registry, _, who):
        added, key = registry.users.add(name, cast("tuple[Role, ...]", tuple(role)), who, expires)
    emit({"user": _shown(added), "key": key}, as_json=as_json, text=key)
    if not as_json:
        say(f"the key of {added.name} ({', '.join(added.roles)}) stands above and nowhere else: keep it in a file")
        say("whoever holds it: BLUEGOLD_KEY_FILE=that-file bluegold ...")


@user.command("list")
def user_list(*, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show every user, their roles, and whether their key counts."""
    from bluegold.core.workspace import Workspace
    from bluegold.registry import Registry

    with Registry.open(Workspace.open(workspace_path(workspace))) as registry:
        found = [_shown(one) for one in registry.users.list()]
    lines = [f"{one['name']:<20} {one['key']}  {one['state']:<10} {', '.join(one['roles'])}" for one in found]
    emit({"users": found}, as_json=as_json, text="\n".join(lines) or "no users: whoever is named may change anything")


@user.command("revoke")
def user_revoke(
    name: Annotated[str, typer.Argument(help="Whose key counts no longer.")],
    *,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a user's key away, at once and everywhere."""
    with governed(workspace, actor) as (registry, _, who):
        gone = registry.users.revoke(name, who)
    emit(_shown(gone), as_json=as_json, text=f"the key of {gone.name} counts no longer")


def _shown(one: User) -> dict[str, str | list[str]]:
    """A user without the hash."""
    from bluegold.core.nouns import now

    expired = one.expires_at is not None and one.expires_at <= now().timestamp()
    state = "revoked" if one.revoked_at is not None else "expired" if expired else "counts"
    return {"name": one.name, "roles": list(one.roles), "key": one.key, "state": state, "added_by": one.added_by}
