"""Understand: the two pipelines of a code base as they are, what its stores hold and what is risky, each cited."""

from __future__ import annotations

from bluegold.design.understand.as_is import Activity, AsIs, Held, Place, understand
from bluegold.design.understand.risks import Risk

__all__ = ["Activity", "AsIs", "Held", "Place", "Risk", "understand"]
