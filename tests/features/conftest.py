"""Fixtures of the features tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from bluegold.features.program import FeatureProgram, fit_program


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sales_definitions", Path(__file__).parent / "definitions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sales_definitions"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def sales() -> ModuleType:
    """The module ``definitions.py`` beside this file."""
    return _load()


@pytest.fixture(scope="session")
def fitted(sales: ModuleType) -> tuple[FeatureProgram, pl.DataFrame, dict[str, Any]]:
    """Program, clean rows and tables of 600 sales."""
    system, data = sales.system(), sales.data(600)
    from bluegold.features.contract import clean_frame

    clean = clean_frame(system.contract, data.rows).valid
    return fit_program(system, clean.head(400), data.tables), clean, data.tables
