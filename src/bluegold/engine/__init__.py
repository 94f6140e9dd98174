"""Engine: where a piece of work runs, with its time limit and its retries."""

from bluegold.engine.local import LocalEngine
from bluegold.engine.protocol import Engine, Limits
from bluegold.engine.subprocess import SubprocessEngine

__all__ = ["Engine", "Limits", "LocalEngine", "SubprocessEngine"]
