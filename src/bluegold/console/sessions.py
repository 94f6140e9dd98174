"""Sessions: who signed in with which key, kept in this process only.

A session lives as long as its key counts: the key is asked for again with every request, so that taking it away ends
the session at once.  The browser holds nothing but a random token; the key itself never goes back to it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable

import msgspec

from bluegold.security.identities import Identities
from bluegold.security.identity import Identity

__all__ = ["IDLE_S", "LONGEST_S", "Session", "Sessions"]

#: A session ends after so long without a request, and after so long in any case.
IDLE_S = 30 * 60.0
LONGEST_S = 8 * 3600.0
_MOST = 64


class Session(msgspec.Struct, kw_only=True):
    """One person at one browser.

    Attributes:
        identity: who.
        key: proves it at the registry.
        form: what every form of this session carries; another page cannot know it.
        began: by this process's stopwatch, in seconds.
        seen: when the last request came.
    """

    identity: Identity
    key: str
    form: str
    began: float
    seen: float

    def holds(self, form: str) -> bool:
        """Whether a form was made by this session."""
        return hmac.compare_digest(self.form.encode(), form.encode())


class Sessions:
    """The sessions of one console.  Threads share it.

    Args:
        identities: who may be recognised.
        clock: seconds that only ever go forward.

    Example:
        >>> import pathlib, tempfile
        >>> from bluegold.core.workspace import Workspace
        >>> space = Workspace.create(pathlib.Path(tempfile.mkdtemp()))
        >>> sessions = Sessions(Identities.open(space))
        >>> sessions.begin("bg_1_2") is None, sessions.find("made up") is None
        (True, True)
    """

    def __init__(self, identities: Identities, clock: Callable[[], float] = time.monotonic) -> None:
        self._identities = identities
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[bytes, Session] = {}

    @property
    def needed(self) -> bool:
        """Whether the workspace knows users at all."""
        return self._identities.active

    def begin(self, key: str) -> str | None:
        """The token of a new session, or None when the key does not hold."""
        identity = self._identities.identify(key) if key else None
        if identity is None:
            return None
        token, now = secrets.token_urlsafe(32), self._clock()
        session = Session(identity=identity, key=key, form=secrets.token_urlsafe(32), began=now, seen=now)
        with self._lock:
            while len(self._open) >= _MOST:
                del self._open[min(self._open, key=lambda mark: self._open[mark].seen)]
            self._open[_mark(token)] = session
        return token

    def find(self, token: str) -> Session | None:
        """The session of a token, while it lasts and its key counts."""
        with self._lock:
            session = self._open.get(_mark(token))
        if session is None:
            return None
        now = self._clock()
        identity = self._identities.identify(session.key)
        if identity is None or now - session.seen > IDLE_S or now - session.began > LONGEST_S:
            self.end(token)
            return None
        session.identity, session.seen = identity, now
        return session

    def end(self, token: str) -> None:
        """End a session; one that is not there is ended already."""
        with self._lock:
            self._open.pop(_mark(token), None)


def _mark(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
