"""What every engine offers: run one callable to its end, or fail in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import msgspec

__all__ = ["DEFAULT", "Engine", "Limits"]

T = TypeVar("T")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a piece of work may take and how often it may be tried again.

    Args:
        timeout_s: seconds one attempt may take.
        retries: further attempts after a failure that is not a mistake of the caller.

    Example:
        >>> Limits(timeout_s=5.0).retries
        0
    """

    timeout_s: float = 600.0
    retries: int = 0


#: what a piece of work gets when nobody said otherwise
DEFAULT = Limits()


class Engine(Protocol):
    """A place where work runs; a cluster engine keeps this one method."""

    name: str

    def run(self, task: Callable[..., T], *args: Any, limits: Limits = DEFAULT) -> T:
        """Run ``task(*args)`` and return what it returns.

        Raises:
            StageError: the task did not end within ``limits.timeout_s`` seconds in any attempt,
                or the place where it ran died.
            BluegoldError: whatever the task itself refuses; such an answer is never tried again.
        """
        ...
