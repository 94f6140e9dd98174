"""Memory: a process whose memory holds secrets leaves no core dump and lets no other process of its user look inside.

Source: prctl(2) ``PR_SET_DUMPABLE``, setrlimit(2) ``RLIMIT_CORE``.
"""

from __future__ import annotations

import ctypes
import resource
import sys
from pathlib import Path

__all__ = ["close_memory", "memory_closed"]

_SET_DUMPABLE = 4


def close_memory() -> None:
    """Allow no core dump of this process, and on Linux no debugger of another process of the same user.

    The superuser can still read it: against them only an enclave helps, and this is none.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def memory_closed(pid: int) -> bool:
    """Whether a process allows no core dump, as the kernel says.

    Raises:
        OSError: there is no such process.

    Example:
        >>> import os
        >>> memory_closed(os.getpid()) in (True, False)
        True
    """
    with Path(f"/proc/{pid}/limits").open(encoding="ascii") as file:
        cores = next((line.split() for line in file if line.startswith("Max core file size")), [])
    return len(cores) > 5 and cores[4] == cores[5] == "0"
