"""Measures of decisions: one file for each task, none of them knows a pipeline."""

from __future__ import annotations

__all__: list[str] = []
