"""Access: which role may do what, and that nobody approves their own work.

Source: the roles follow the separation of duties in Avila & Ahmad (2025), chapters 5-6.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from bluegold.core.errors import AccessDenied, DefinitionError

__all__ = ["AUTOMATIC", "ROLES", "Access", "Action", "Demand", "Proven", "Role", "is_automatic", "require_other"]

Role = Literal[
    "application",
    "automatic",
    "compliance officer",
    "data analyst",
    "developer",
    "operator",
    "reader",
    "security officer",
    "validator",
]
Action = Literal[
    "register",
    "gate",
    "release",
    "move",
    "traffic",
    "approve",
    "review",
    "promote",
    "restore",
    "configure",
    "archive",
    "serve",
    "predict",
    "decisions",
    "personal",
]

#: Name of the actor that is no person: the delivery controller and self-healing.
AUTOMATIC = "automatic"

#: role -> what it may do; who is known at all may read what is not personal.  ``serve``: start, renew and stop
#: servers; ``predict``: ask for decisions and report outcomes; ``decisions``: read recorded decisions; ``personal``:
#: see personal fields in them; ``restore``: go towards safety, which the automatic actor may always do.
ROLES: dict[Role, frozenset[Action]] = {
    "application": frozenset({"predict"}),
    "automatic": frozenset(
        {"gate", "release", "move", "traffic", "promote", "restore", "serve", "predict", "decisions"}
    ),
    "compliance officer": frozenset({"approve", "review", "restore", "archive", "decisions", "personal"}),
    "data analyst": frozenset({"register", "review", "predict", "decisions", "personal"}),
    "developer": frozenset({"register", "review", "gate", "release", "predict", "decisions"}),
    "operator": frozenset(
        {
            "gate",
            "release",
            "move",
            "traffic",
            "promote",
            "restore",
            "configure",
            "archive",
            "serve",
            "predict",
            "decisions",
        }
    ),
    "reader": frozenset(),
    "security officer": frozenset({"approve", "review", "restore", "configure", "decisions"}),
    "validator": frozenset({"approve", "review", "gate", "restore", "predict", "decisions"}),
}


def is_automatic(actor: str) -> bool:
    """Whether an actor is the automatic one (or a part of it, such as ``automatic:watch``).

    Example:
        >>> is_automatic("automatic:watch"), is_automatic("ada")
        (True, False)
    """
    return actor.strip().casefold().partition(":")[0] == AUTOMATIC


def require_other(author: str, actor: str, ref: str) -> None:
    """Author and approver must be different people.

    Raises:
        AccessDenied: they are the same, or the approver is no person.

    Example:
        >>> require_other("ada", "ben", "m:v1")
        >>> require_other("ada", " Ada", "m:v1")
        Traceback (most recent call last):
        ...
        bluegold.core.errors.AccessDenied: 'Ada' cannot approve m:v1: its author is the same person...
    """
    if is_automatic(actor):
        raise AccessDenied(f"'{actor}' cannot approve {ref}", why="only a person can approve", subject=ref)
    if actor.strip().casefold() == author.strip().casefold():
        raise AccessDenied(
            f"'{actor.strip()}' cannot approve {ref}",
            why="its author is the same person",
            way_out="somebody else must approve it (BLUEGOLD_ACTOR names who acts)",
            subject=ref,
        )


class Proven(Protocol):
    """Somebody who proved who they are."""

    @property
    def roles(self) -> tuple[Role, ...]:
        """What they are here."""
        ...


class Demand(Protocol):
    """What asks for a proof of identity, where identities are known."""

    @property
    def required(self) -> bool:
        """Whether a name alone is not enough."""
        ...

    def identity(self) -> Proven:
        """Whoever the key belongs to; raises ``AccessDenied``."""
        ...

    def demand(self, actor: str) -> Proven:
        """Whoever proves to be ``actor``; raises ``AccessDenied``."""
        ...


class Access:
    """Who has which roles.

    Args:
        assignments: actor -> roles.  Empty means an installation without assigned roles: every person may do
            everything, except approve their own work.  The automatic actor always has exactly its own role.
        proof: asks for a key once identities are known; then the roles are the identity's, not the assigned ones.
            What acts automatically then does so under the key of whoever runs it, within both roles; the way to
            safety needs none.

    Example:
        >>> Access({"ada": ("developer",)}).require("ada", "approve")
        Traceback (most recent call last):
        ...
        bluegold.core.errors.AccessDenied: 'ada' may not approve: the roles of 'ada' are developer...
    """

    def __init__(self, assignments: Mapping[str, tuple[Role, ...]] | None = None, proof: Demand | None = None) -> None:
        self._assignments = dict(assignments or {})
        self._proof = proof

    @classmethod
    def read(cls, path: Path, proof: Demand | None = None) -> Access:
        """Read ``access.json``, a map from actor to a list of roles; a missing file assigns nothing.

        Raises:
            DefinitionError: the file exists but is not such a map.
        """
        try:
            return cls(msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[Role, ...]]), proof)
        except FileNotFoundError:
            return cls(proof=proof)
        except (OSError, msgspec.MsgspecError) as error:
            raise DefinitionError(
                f"'{path}' does not say who may do what",
                why=str(error),
                way_out=f'write {{"name": ["role"]}} with roles among {", ".join(sorted(ROLES))}',
            ) from error

    @property
    def proven(self) -> bool:
        """Whether a name alone changes nothing here."""
        return self._proof is not None and self._proof.required

    def vouch(self, actor: str) -> None:
        """Accept that something is written in the name of ``actor``; what acts automatically has its own limits.

        Raises:
            AccessDenied: identities are known, and no key of that person was given.
        """
        if not is_automatic(actor) and self._proof is not None and self._proof.required:
            self._proof.demand(actor)

    def roles(self, actor: str) -> tuple[Role, ...]:
        """The roles of an actor, sorted; where identities are known, those of the identity that proved itself.

        Raises:
            AccessDenied: a proof is asked for and does not hold.
        """
        if is_automatic(actor):
            return ("automatic",)
        if self._proof is not None and self._proof.required:
            return self._proof.demand(actor).roles
        if not self._assignments:
            return tuple(sorted(role for role in ROLES if role != "automatic"))
        return tuple(sorted(self._assignments.get(actor, ("reader",))))

    def require(self, actor: str, *actions: Action) -> None:
        """Accept that ``actor`` does something that counts as any one of ``actions``.

        Raises:
            AccessDenied: none of the actor's roles includes one; the message lists the roles that do.
        """
        roles = self.roles(actor)
        may = self._allowed(actor, roles, actions)
        if not actor.strip() or not may & set(actions):
            able = ", ".join(sorted(role for role in ROLES if ROLES[role] & set(actions)))
            raise AccessDenied(
                f"'{actor}' may not {actions[0]}",
                why=f"the roles of '{actor}' are {', '.join(roles) or 'none'}",
                way_out=f"ask somebody who is {able}",
                subject=actor,
            )

    def _allowed(self, actor: str, roles: tuple[Role, ...], actions: tuple[Action, ...]) -> frozenset[Action]:
        """What these roles may do; what acts automatically may no more than whoever's key it acts under."""
        may = frozenset(action for role in roles for action in ROLES[role])
        if not is_automatic(actor) or "restore" in actions or self._proof is None or not self._proof.required:
            return may
        return may & frozenset(action for role in self._proof.identity().roles for action in ROLES[role])
