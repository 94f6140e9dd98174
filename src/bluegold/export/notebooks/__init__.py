"""Notebooks become stages: cells are told apart by what they do and written as functions that run in their order."""

from __future__ import annotations

from bluegold.export.notebooks.convert import Converted, convert, package_names
from bluegold.export.notebooks.reading import Book, Cell, read_book

__all__ = ["Book", "Cell", "Converted", "convert", "package_names", "read_book"]
