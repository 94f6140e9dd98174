"""Figures are well-formed, escaped, and hold what they say."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from bluegold.development.plots import bars, curve, heat, histogram

SPACE = "{http://www.w3.org/2000/svg}"
FIGURES = {
    "bars": bars("Rows & <parts>", {"a<b": 3.0, "c": 0.0}, unit="rows"),
    "histogram": histogram("Delay", [0.0, 1.0, 2.0], [4, 2], label="min"),
    "curve": curve("ROC", "false", "true", [(0.0, 0.0), (0.5, 0.9), (1.0, 1.0)]),
    "heat": heat("Correlation", ["a", "b"], [[1.0, -0.5], [-0.5, 1.0]]),
    "empty": bars("Nothing", {}),
}


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_figures_are_well_formed_named_and_free_of_script(name: str) -> None:
    root = ET.fromstring(FIGURES[name])  # noqa: S314 - our own text
    assert root.tag == f"{SPACE}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert not list(root.iter(f"{SPACE}script"))


def test_bar_heights_are_in_proportion() -> None:
    root = ET.fromstring(bars("Rows", {"a": 1.0, "b": 4.0}))  # noqa: S314 - our own text
    heights = [float(rect.get("height", "0")) for rect in root.iter(f"{SPACE}rect")]
    assert heights[1] == pytest.approx(4 * heights[0], rel=0.01)
