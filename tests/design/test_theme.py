"""WCAG AA contrast of the theme's pairs, in light and dark."""

import re

import pytest

from bluegold.design.page import theme

PAIRS = [
    ("ink", "paper"), ("ink", "surface"), ("ink", "raised"), ("muted", "paper"), ("muted", "surface"),
    ("muted", "raised"), ("link", "paper"), ("link", "raised"), ("brand-ink", "brand"), ("good", "good-soft"),
    ("fair", "fair-soft"), ("bad", "bad-soft"), ("blue", "blue-soft"), ("gold", "gold-soft"), ("open", "open-soft"),
    ("gold", "paper"), ("ink", "blue-soft"), ("ink", "good-soft"), ("ink", "fair-soft"), ("ink", "bad-soft"),
    ("d-ink", "d-label"), ("d-soft", "d-group"), ("d-stage-ink", "d-stage-fill"), ("d-store-ink", "d-store-fill"),
    ("d-outside-ink", "d-outside-fill"), ("d-blue-ink", "d-blue-fill"), ("d-gold-ink", "d-gold-fill"),
    ("d-gate-ink", "d-gate-fill"), ("d-bad-ink", "d-bad-fill"), ("d-good-ink", "d-good-fill"),
]  # fmt: skip


def tokens(dark):
    light, _, night = theme().partition("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", light))
    return found | (dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", night)) if dark else {})


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back"), PAIRS)
def test_text_can_be_read(front, back, dark):
    colours = tokens(dark)
    high, low = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5
