"""Proof of identity: the key of whoever gives a command, asked for only when something is to be changed."""

from __future__ import annotations

import functools
import getpass
import sys
from collections.abc import Callable
from pathlib import Path

from bluegold.core.errors import AccessDenied
from bluegold.core.settings import settings
from bluegold.security.identities import Identities
from bluegold.security.identity import Identity

__all__ = ["Proof", "presented_key"]


def presented_key() -> str:
    """The key that the settings give, or the one typed at the terminal when they say ``-``; empty when there is none.

    Raises:
        AccessDenied: the key's file cannot be read.
    """
    chosen = settings()
    if chosen.key or not chosen.key_file:
        return chosen.key
    if chosen.key_file == "-":
        return _typed() if sys.stdin.isatty() else ""
    try:
        return Path(chosen.key_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise AccessDenied(
            f"the key in '{chosen.key_file}' cannot be read", why=str(error), way_out="correct BLUEGOLD_KEY_FILE"
        ) from error


@functools.cache
def _typed() -> str:
    """Ask once, however often the key is needed."""
    return getpass.getpass("key: ").strip()


class Proof:
    """Says who acts, once it is asked.

    Args:
        identities: who may be recognised.
        key: gives the key; called at most once.
        renew: brings the file of users up to date with the registry before it is trusted.
    """

    def __init__(self, identities: Identities, key: Callable[[], str], renew: Callable[[], None]) -> None:
        self._identities = identities
        self._ask = key
        self._key: str | None = None
        self._renew = renew

    @property
    def required(self) -> bool:
        """Whether a name alone is not enough here: some identity is known."""
        self._renew()
        return self._identities.active

    def identity(self) -> Identity:
        """Who acts.

        Raises:
            AccessDenied: no key was given, or it is unknown, revoked or expired.
        """
        if self._key is None:
            self._key = self._ask()
        if not self._key:
            raise AccessDenied(
                "a name alone changes nothing here",
                why="this workspace has users, and no key was given",
                way_out="set BLUEGOLD_KEY_FILE to the file with your key (or to - to be asked for it)",
            )
        found = self._identities.identify(self._key)
        if found is None:
            raise AccessDenied(
                "the key is not accepted",
                why="it is unknown, revoked or expired",
                way_out="ask a security officer for a new one: bluegold user add",
            )
        return found

    def demand(self, actor: str) -> Identity:
        """Who acts, when that is ``actor``.

        Raises:
            AccessDenied: the key does not hold, or it is somebody else's.
        """
        found = self.identity()
        if found.name.casefold() != actor.strip().casefold():
            raise AccessDenied(
                f"'{actor}' was named, but the key is that of '{found.name}'",
                way_out="leave --actor and BLUEGOLD_ACTOR away: the key says who acts",
                subject=actor,
            )
        return found
