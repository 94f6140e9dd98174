"""View: what every risk detector may look at."""

from __future__ import annotations

import msgspec

from bluegold.core.nouns import Finding
from bluegold.design.understand.activities import Activity, Place
from bluegold.design.understand.code import Module
from bluegold.design.understand.sources import Sources

__all__ = ["View"]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The system's own sources, what they do, and what the scan found."""

    sources: Sources
    activities: tuple[Activity, ...]
    findings: tuple[Finding, ...]

    def activity(self, *ids: str) -> tuple[Place, ...]:
        """The places of some activities."""
        return tuple(place for one in self.activities if one.id in ids for place in one.places)

    def modules(self, *ids: str) -> tuple[Module, ...]:
        """The modules that do one of some things."""
        paths = {place.path for place in self.activity(*ids)}
        return tuple(module for module in self.sources.modules if module.path in paths)
