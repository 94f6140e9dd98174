"""Risks: what a system as it is lacks or does in a way that will hurt, each with the place that shows it."""

from __future__ import annotations

from bluegold.design.understand.risks.table import Risk, find_risks, risk_rows

__all__ = ["Risk", "find_risks", "risk_rows"]
