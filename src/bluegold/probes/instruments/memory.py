"""The memory of a process, read as a dump would hold it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["remnants"]

PIECE = 64 * 1024 * 1024


def remnants(pid: int, values: list[str]) -> int:
    """How often any of the values stands in the readable memory of a process.

    Args:
        pid: the process; one's own, or any for the superuser.
        values: long enough not to be there by chance.

    Raises:
        OSError: its memory cannot be read.

    Example:
        >>> import os
        >>> remnants(os.getpid(), ["a value that stands in this very line"]) > 0
        True
    """
    wanted = [value.encode() for value in values]
    longest = max(map(len, wanted))
    count = 0
    with Path(f"/proc/{pid}/maps").open(encoding="ascii", errors="replace") as maps:
        areas = [line.split() for line in maps]
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for place, rights, *_, name in areas:
            if "w" not in rights or name.startswith("[v"):
                continue  # what cannot be written holds code and constants
            start, end = (int(edge, 16) for edge in place.split("-"))
            for at in range(start, end, PIECE):
                try:
                    memory.seek(at)
                    raw = memory.read(min(PIECE + longest, end - at))
                except OSError:
                    break  # a guard page, or a piece that was given back meanwhile
                count += sum(raw.count(one) for one in wanted)
    return count
