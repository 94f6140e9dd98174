"""Scan: what a code base is made of, read without running any of it; every finding cites its place."""

from __future__ import annotations

from bluegold.design.scan.detector import Detector, FileSign, read_detectors, vocabulary
from bluegold.design.scan.scanner import Survey, scan, survey
from bluegold.design.scan.walk import Limits

__all__ = ["Detector", "FileSign", "Limits", "Survey", "read_detectors", "scan", "survey", "vocabulary"]
