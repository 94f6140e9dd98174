"""Scan: what a code base is made of, read without running any of it; every finding cites its place."""

from __future__ import annotations

from bluegold.design.scan.scanner import Limits, Survey, scan, survey

__all__ = ["Limits", "Survey", "scan", "survey"]
