"""Users: rows of the registry, and the signed copy of them that every process of the workspace recognises people by."""

from __future__ import annotations

import time

import msgspec
from sqlalchemy import Connection, func, select

from bluegold.core.errors import RegistryError, UsageError
from bluegold.registry.audit import Audit
from bluegold.registry.tables import USERS
from bluegold.security.access import ROLES, Access, Role
from bluegold.security.identities import Identities, User, make_key

__all__ = ["Users", "renew"]

_table = USERS.table
_REVISION = select(func.max(_table.c.id))


class Users:
    """Lets people and applications in, and takes their keys away again.

    Args:
        audit: the chain that every change is written to.
        identities: the signed copy for serving processes.
        access: who may do so.
    """

    def __init__(self, audit: Audit, identities: Identities, access: Access) -> None:
        self._audit = audit
        self._identities = identities
        self._access = access

    def add(
        self, name: str, roles: tuple[Role, ...], actor: str = "", expires_at: float | None = None
    ) -> tuple[User, str]:
        """Add a user; from the first one on, a name without a key changes nothing in this workspace.

        Args:
            name: who, as the audit trail will show it.
            roles: what they are.
            actor: who lets them in.
            expires_at: until when the key counts, seconds since 1970.

        Returns:
            the user, and the key: the only time that anybody sees it.

        Raises:
            AccessDenied: the actor may not.
            DefinitionError: the name or a role cannot be used.
            RegistryError: there is such a user, or the first user could let nobody else in.
        """
        actor = actor or self._audit.actor
        self._access.require(actor, "configure")
        user, key = make_key(name, roles, actor, expires_at)
        with self._audit.change(actor) as change:
            there = _current(change.connection)
            if any(one.name.casefold() == name.casefold() and one.revoked_at is None for one in there):
                raise RegistryError(f"there is a user '{name}'", way_out=f"bluegold user revoke '{name}' first")
            if not any(_rules(one) for one in (*there, user)):
                able = ", ".join(sorted(role for role in ROLES if "configure" in ROLES[role]))
                raise RegistryError("the first user could let nobody else in", way_out=f"begin with a {able}")
            change.keep(USERS, user, (actor, "add user", name, ", ".join(user.roles)))
        renew(self._audit, self._identities, known=True)
        return user, key

    def revoke(self, name: str, actor: str = "") -> User:
        """Take a user's key away, at once and for every process.

        Raises:
            AccessDenied: the actor may not.
            UsageError: there is no such user.
            RegistryError: nobody would be left who can let others in.
        """
        actor = actor or self._audit.actor
        self._access.require(actor, "configure")
        with self._audit.change(actor) as change:
            there = _current(change.connection)
            found = next((one for one in there if one.name == name and one.revoked_at is None), None)
            if found is None:
                raise UsageError(f"there is no user '{name}'", way_out="'bluegold user list' shows them")
            if not any(_rules(one) for one in there if one.key != found.key):
                raise RegistryError(
                    f"'{name}' is the last who can let others in", way_out="add another security officer first"
                )
            gone = msgspec.structs.replace(found, revoked_at=change.at.timestamp())
            change.keep(USERS, gone, (actor, "revoke user", name, "revoked"))
        renew(self._audit, self._identities, known=True)
        return gone

    def list(self) -> tuple[User, ...]:
        """Every user, revoked ones too, in the order they were added."""
        with self._audit.store.read() as connection:
            return _current(connection)


def renew(audit: Audit, identities: Identities, *, known: bool = False) -> None:
    """Bring the copy up to date with the registry.

    Args:
        audit: the registry's chain.
        identities: the copy.
        known: the registry was changed just now; otherwise a copy that differs is recorded before it is replaced.

    Raises:
        IntegrityError: the end of the audit chain does not hold.
    """
    revision = audit.store.rows(_REVISION)[0][0] or 0
    copied = identities.revision
    if copied == revision:
        return
    if not known:
        audit.append("automatic:registry", "replace users file", "users.json", f"was revision {copied}")
    with audit.change("automatic:registry") as change:  # under the write lock: the newest state is written last
        revision = change.connection.execute(_REVISION).scalar() or 0
        identities.write(revision, _current(change.connection), audit.signer)


def _current(connection: Connection) -> tuple[User, ...]:
    """The last state of every user."""
    bodies = connection.execute(select(_table.c.body).order_by(_table.c.id)).scalars()
    users = (msgspec.json.decode(body, type=User) for body in bodies)
    return tuple({user.key: user for user in users}.values())


def _rules(user: User) -> bool:
    """Whether a user can let others in."""
    alive = user.revoked_at is None and (user.expires_at is None or user.expires_at > time.time())
    return alive and any("configure" in ROLES[role] for role in user.roles)
