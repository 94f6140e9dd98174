"""What the console shows of a trace: from a decision or version to its rows, or from a row to its decisions."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from bluegold.core.errors import UsageError
from bluegold.core.workspace import Workspace
from bluegold.export.chain import ancestors, descendants, names_source
from bluegold.export.tracing import RowTrace, trace_rows
from bluegold.registry import Registry
from bluegold.stores.protocols import Edge

__all__ = ["TracePage", "look_at_trace"]

_SHOWN = 10


class TracePage(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked, and one of three answers."""

    asked: str = ""
    row: str = ""
    chain: dict[str, Any] | None = None
    rows: RowTrace | None = None
    edges: tuple[Edge, ...] = ()


def look_at_trace(workspace: Workspace, asked: str, row: str) -> TracePage:
    """Follow what was asked.

    Args:
        workspace: whose registry.
        asked: a decision, a version, or data:, rows:, features:, code:, run: and a digest.
        row: a row's number, or column=value, one a line.

    Raises:
        UsageError: it names nothing that is here, or a file (which only the command line reads).
        UnknownVersion: there is no such version.
    """
    words = [word.strip() for word in re.split(r"[\r\n]+", row) if word.strip()]
    if any("=" not in word and not word.isdecimal() for word in words):
        raise UsageError(
            "this page reads no files", way_out="give a number or column=value, or 'bluegold trace --row FILE:NUMBER'"
        )
    with Registry.open(workspace) as registry:
        if words:
            return TracePage(asked=asked, row=row, rows=trace_rows(registry, workspace, words, asked, _SHOWN))
        if not asked:
            return TracePage()
        if names_source(registry, asked):
            return TracePage(asked=asked, edges=descendants(registry, asked)[:200])
        return TracePage(asked=asked, chain=ancestors(registry, workspace, asked, limit=_SHOWN))
