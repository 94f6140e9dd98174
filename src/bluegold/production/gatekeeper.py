"""The gatekeeper: whose key came with a request, and whether its holder may ask for that.

It asks for keys once the workspace has users; before that, whoever reaches the port may ask.
"""

from __future__ import annotations

import time
from typing import Protocol

from bluegold.core.errors import BluegoldError
from bluegold.production.messages import Problem
from bluegold.security.access import Action
from bluegold.security.identities import User
from bluegold.security.identity import Identity
from bluegold.telemetry.log import Log

__all__ = ["CERTIFICATE", "Gatekeeper", "Recogniser"]

CERTIFICATE = "\0certificate "
"""Stands before the name in a client's verified certificate, where a key would stand; no header can hold it."""

FRESH_S = 1.0
"""So long an answer about a key is repeated: a revoked key is refused within this time."""

MOST = 4_096
_LOG = Log("production")


class Recogniser(Protocol):
    """What knows the holders of keys."""

    @property
    def active(self) -> bool:
        """Whether any holder is known."""

    def identify(self, key: str) -> Identity | None:
        """Who holds a key; the first time may take tens of milliseconds."""

    def users(self) -> tuple[User, ...]:
        """Every local user, revoked ones too."""


class Gatekeeper:
    """Remembers for a moment what was found out about a key, so that asking costs a request nothing.

    Args:
        recogniser: what knows the holders of keys.
    """

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser
        self._found: dict[str, tuple[float, Identity | None]] = {}
        self._looked = float("-inf")
        self._asks = True

    @property
    def asks(self) -> bool:
        """Whether a key is needed; also when nobody can say, because the file of users does not verify."""
        now = time.monotonic()
        if now - self._looked > FRESH_S:
            try:
                self._asks = self._recogniser.active
            except BluegoldError as error:
                _LOG.error("keys cannot be told apart", because=str(error))
                self._asks = True
            self._looked = now
        return self._asks

    def knows(self, header: str) -> bool:
        """Whether :meth:`admit` can judge this header at once."""
        found = self._found.get(header)
        return not header or (found is not None and time.monotonic() - found[0] <= FRESH_S)

    def look(self, header: str) -> None:
        """Find out whose key an ``Authorization`` header carries, or whom a certificate names; belongs in a thread."""
        scheme, _, key = header.partition(" ")
        try:
            if header.startswith(CERTIFICATE):
                found = self._named(header.removeprefix(CERTIFICATE))
            else:
                found = self._recogniser.identify(key.strip()) if scheme.lower() == "bearer" else None
        except BluegoldError as error:
            _LOG.error("keys cannot be told apart", because=str(error))
            found = None
        if len(self._found) >= MOST:
            self._found.clear()
        self._found[header] = (time.monotonic(), found)

    def allows(self, header: str, action: Action) -> bool:
        """Whether the holder of the key in a header that is known may do that; never, while nobody is known."""
        try:
            return self.asks and bool(self.admit(header, action))
        except Problem:
            return False

    def _named(self, name: str) -> Identity | None:
        """The user of this name who may still come in."""
        for user in reversed(self._recogniser.users()):
            if user.name == name and user.revoked_at is None:
                return Identity(name=user.name, roles=user.roles, key=user.key, expires_at=user.expires_at)
        return None

    def admit(self, header: str, action: Action) -> Identity:
        """The holder of the key in a header that is known.

        Raises:
            Problem: 401 without a valid key, 403 when its holder may not do that.
        """
        found = self._found.get(header)
        identity = found[1] if found is not None else None
        if identity is None or (identity.expires_at is not None and time.time() >= identity.expires_at):
            raise Problem(
                401,
                "no valid key came with the request",
                way_out="send 'Authorization: Bearer <key>', or come with the certificate of a user",
                headers=(("www-authenticate", "Bearer"),),
            )
        if not identity.may(action):
            raise Problem(403, f"'{identity.name}' may not do that", way_out=f"ask for a role that may '{action}'")
        return identity
