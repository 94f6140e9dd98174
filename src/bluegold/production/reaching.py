"""Reaching the registry: it is opened beside the work, again and again, and nobody waits long for it."""

from __future__ import annotations

import threading

from bluegold.core.errors import BluegoldError, StoreError
from bluegold.core.settings import settings
from bluegold.core.workspace import Workspace
from bluegold.production.kept import kept_models
from bluegold.registry.registry import Registry
from bluegold.registry.versions import Versions
from bluegold.telemetry.log import Log

__all__ = ["Reached"]

FIRST_S, NOTHING_S = 3.0, 30.0
AGAIN_S = 0.5
_LOG = Log("production")


class Reached:
    """The registry of a workspace once it could be opened; until then a clear refusal.

    Args:
        workspace: whose registry.
        actor: who acts in it.
        patient: wait longer for the first attempt, because nothing can be done without; also without it, where nothing
            was kept to serve instead.  Attempts go on beside the work afterwards.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> reached = Reached(Workspace.create(Path(tempfile.mkdtemp()) / "w"), "ada")
        >>> reached.registry
        Traceback (most recent call last):
        bluegold.core.errors.StoreError: the registry does not answer: there is no file ...
        >>> reached.close()
    """

    def __init__(self, workspace: Workspace, actor: str, *, patient: bool = False) -> None:
        self._space = workspace
        self._actor = actor
        self._open: Registry | None = None
        wait = FIRST_S if kept_models(workspace) and not patient else NOTHING_S
        self._why = f"it did not open within {wait:g} s"
        self._lock = threading.Lock()
        self._closed, tried = threading.Event(), threading.Event()
        threading.Thread(target=self._reach, args=(tried,), name="reaching", daemon=True).start()
        tried.wait(wait)

    @property
    def registry(self) -> Registry:
        """The registry.

        Raises:
            StoreError: it could not be opened so far.
        """
        if self._open is None:
            raise StoreError("the registry does not answer", why=self._why, way_out="bring it back")
        return self._open

    @property
    def versions(self) -> Versions:
        """Its versions; raises as :attr:`registry`."""
        return self.registry.versions

    def close(self) -> None:
        """Close it, and try no more."""
        with self._lock:
            self._closed.set()
            if self._open is not None:
                self._open.close()

    def _reach(self, tried: threading.Event) -> None:
        while not self._closed.is_set():
            try:
                found = self._opened()
            except BluegoldError as error:
                self._why = error.why or error.what
                tried.set()
                self._closed.wait(AGAIN_S)
                continue
            with self._lock:
                if self._closed.is_set():
                    found.close()
                else:
                    self._open = found
            tried.set()
            return

    def _opened(self) -> Registry:
        """Open it, but never make one: an empty registry in the place of a lost one would be a lie."""
        space = self._space
        if not settings().relational_url and not space.database.is_file():
            raise StoreError("the registry is gone", why=f"there is no file '{space.database}'")
        return Registry.open(space, actor=self._actor)
