"""Small figures as SVG text: no drawing library, themed by CSS variables, readable without them."""

from __future__ import annotations

import itertools
from html import escape

__all__ = ["bars", "curve", "heat", "histogram"]

WIDTH, HEIGHT = 420, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 30, 44
INK = "currentColor"
FILL = "var(--bg-accent, #2f6fb0)"
FAINT = "var(--bg-rule, #c9ced6)"


def bars(title: str, values: dict[str, float], *, unit: str = "") -> str:
    """One bar a name.

    Args:
        title: what the figure shows; also its accessible name.
        values: name -> height, not negative, at most 30 are drawn.
        unit: written on the value axis.

    Example:
        >>> bars("Rows", {"train": 3.0}).startswith("<svg")
        True
    """
    shown = list(values.items())[:30]
    top = max((value for _, value in shown), default=0.0) or 1.0
    wide = (WIDTH - LEFT - RIGHT) / max(len(shown), 1)
    parts = []
    for index, (name, value) in enumerate(shown):
        height = (HEIGHT - TOP - BOTTOM) * value / top
        x, y = LEFT + index * wide, HEIGHT - BOTTOM - height
        about = f"<title>{escape(name)}: {value:.4g}</title>"
        parts.append(_rect(x + wide * 0.1, y, wide * 0.8, height, about))
        if wide >= 22:
            parts.append(_text(x + wide / 2, HEIGHT - BOTTOM + 14, _short(name, int(wide / 6)), "middle"))
    return _frame(title, parts, ("", unit), (0.0, top))


def histogram(title: str, edges: list[float], counts: list[int], *, label: str = "") -> str:
    """Counts between edges.

    Args:
        title: what the figure shows.
        edges: n + 1 rising bin edges.
        counts: n counts.
        label: what is counted, with its unit.

    Example:
        >>> "<rect" in histogram("Delay", [0.0, 1.0, 2.0], [3, 5])
        True
    """
    top = max(counts, default=0) or 1
    low, high = edges[0], edges[-1]
    span = (high - low) or 1.0
    parts = []
    for (left, right), count in zip(itertools.pairwise(edges), counts, strict=True):
        x0, x1 = _x(left, low, span), _x(right, low, span)
        height = (HEIGHT - TOP - BOTTOM) * count / top
        y = HEIGHT - BOTTOM - height
        parts.append(_rect(x0, y, max(x1 - x0 - 0.6, 0.4), height, f"<title>{left:.4g}: {count}</title>"))
    parts += [_text(LEFT, HEIGHT - BOTTOM + 14, _number(low), "start")]
    parts += [_text(WIDTH - RIGHT, HEIGHT - BOTTOM + 14, _number(high), "end")]
    return _frame(title, parts, (label, "rows"), (0.0, float(top)))


def curve(title: str, across: str, up: str, points: list[tuple[float, float]]) -> str:
    """A line through points of the unit square, with the diagonal for comparison.

    Args:
        title: what the figure shows.
        across: label of the horizontal axis.
        up: label of the vertical axis.
        points: (x, y) pairs between 0 and 1.

    Example:
        >>> "polyline" in curve("ROC", "false", "true", [(0.0, 0.0), (1.0, 1.0)])
        True
    """
    deep = HEIGHT - TOP - BOTTOM
    line = " ".join(f"{_x(x, 0.0, 1.0):.1f},{HEIGHT - BOTTOM - deep * y:.1f}" for x, y in points)
    diagonal = f'<path d="M{LEFT} {HEIGHT - BOTTOM}L{WIDTH - RIGHT} {TOP}" stroke="{FAINT}" stroke-dasharray="4 4"/>'
    drawn = f'<polyline points="{line}" fill="none" stroke="{FILL}" stroke-width="2"/>'
    ends = [_text(LEFT, HEIGHT - BOTTOM + 14, "0", "start"), _text(WIDTH - RIGHT, HEIGHT - BOTTOM + 14, "1", "end")]
    return _frame(title, [diagonal, drawn, *ends], (across, up), (0.0, 1.0))


def heat(title: str, names: list[str], matrix: list[list[float]]) -> str:
    """A square of correlations between -1 and 1.

    Args:
        title: what the figure shows.
        names: n names.
        matrix: n x n values.

    Example:
        >>> heat("Correlation", ["a"], [[1.0]]).count("<rect")
        1
    """
    size = max(len(names), 1)
    cell = min(22.0, 300.0 / size)
    left, top = 110.0, 34.0
    parts = [_text(left - 6, top + cell * (i + 0.7), _short(name, 17), "end") for i, name in enumerate(names)]
    for row, values in enumerate(matrix):
        for column, value in enumerate(values):
            tone = "var(--bg-accent, #2f6fb0)" if value >= 0 else "var(--bg-warm, #b3541e)"
            about = f"<title>{escape(names[row])} / {escape(names[column])}: {value:.2f}</title>"
            parts.append(
                f'<rect x="{left + column * cell:.1f}" y="{top + row * cell:.1f}" width="{cell - 1:.1f}" '
                f'height="{cell - 1:.1f}" fill="{tone}" fill-opacity="{abs(value):.2f}">{about}</rect>'
            )
    return _svg(title, parts, left + size * cell + 14, top + size * cell + 14)


def _frame(title: str, parts: list[str], labels: tuple[str, str], scale: tuple[float, float]) -> str:
    axes = f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="{FAINT}"/>'
    ticks = [
        _text(LEFT - 6, HEIGHT - BOTTOM, _number(scale[0]), "end"),
        _text(LEFT - 6, TOP + 8, _number(scale[1]), "end"),
    ]
    named = [_text(WIDTH / 2, HEIGHT - 10, labels[0], "middle"), _text(4, TOP - 6, labels[1], "start")]
    return _svg(title, [axes, *parts, *ticks, *named], WIDTH, HEIGHT)


def _svg(title: str, parts: list[str], width: float, height: float) -> str:
    head = _text(width / 2, 16, title, "middle", bold=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="11" color="#30363f">'
        f"{head}{''.join(parts)}</svg>"
    )


def _rect(x: float, y: float, width: float, height: float, inside: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {place} fill="{FILL}">{inside}</rect>'


def _text(x: float, y: float, words: str, anchor: str, *, bold: bool = False) -> str:
    weight = ' font-weight="600" font-size="12"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{INK}"{weight}>{escape(words)}</text>'


def _x(value: float, low: float, span: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / span


def _number(value: float) -> str:
    """A number short enough for an axis: 0.198, 42, 15.2k, 3.1M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (size == 1e6 and abs(value) >= size):
            return f"{value / size:.3g}{unit}"
    return f"{value:.4g}"


def _short(name: str, most: int) -> str:
    return name if len(name) <= max(most, 3) else f"{name[: max(most, 3) - 1]}…"
