"""The gatekeeper: whose key came with a request, and whether its holder may ask for that.

It asks for keys once the workspace has users; before that, whoever reaches the port may ask.
"""

from __future__ import annotations

import time
from typing import Protocol

from bluegold.core.errors import BluegoldError
from bluegold.production.messages import Problem
from bluegold.security.access import Action
from bluegold.security.identity import Identity
from bluegold.telemetry.log import Log

__all__ = ["Gatekeeper", "Recogniser"]

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
        """Find out whose key an ``Authorization`` header carries; belongs in a thread."""
        scheme, _, key = header.partition(" ")
        try:
            found = self._recogniser.identify(key.strip()) if scheme.lower() == "bearer" else None
        except BluegoldError as error:
            _LOG.error("keys cannot be told apart", because=str(error))
            found = None
        if len(self._found) >= MOST:
            self._found.clear()
        self._found[header] = (time.monotonic(), found)

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
                way_out="send 'Authorization: Bearer <key>'",
                headers=(("www-authenticate", "Bearer"),),
            )
        if not identity.may(action):
            raise Problem(403, f"'{identity.name}' may not do that", way_out=f"ask for a role that may '{action}'")
        return identity
