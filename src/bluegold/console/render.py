"""The page as HTML: one template, one style sheet, nothing from anywhere else."""

from __future__ import annotations

import datetime as dt
from importlib.resources import files

import jinja2
from markupsafe import Markup

from bluegold.console.view import GATES, PHASES, Page
from bluegold.core.nouns import ModelVersion
from bluegold.requirements.checklist import shown_limit, shown_value

__all__ = ["render"]

_GRADE = {"objective": "pass", "threshold": "met", "missed": "fail"}
_GRADE |= {"needs instrumentation": "mute", "not applicable": "mute"}
_NUMBERS = (
    "accuracy",
    "auc",
    "balanced_accuracy",
    "skill",
    "r2",
    "fairness_parity",
    "explainability",
    "robustness_change",
)


def render(page: Page, refresh: int = 5) -> str:
    """The whole page.

    Args:
        page: what to show.
        refresh: seconds until the browser asks again, 0 for never.
    """
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"moment": _moment, "number": _number, "limit": shown_limit, "value": shown_value}
    here = files("bluegold.console")
    template = environment.from_string((here / "page.html.j2").read_text(encoding="utf-8"))
    style = Markup((here / "style.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file
    return template.render(
        page=page, refresh=refresh, style=style, gates=GATES, phases=PHASES, grade=_GRADE, numbers=_numbers
    )


def _numbers(version: ModelVersion) -> Markup:
    """A version's measures as a definition list."""
    cells = [
        Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(name.replace("_", " "), _number(version.metrics[name]))
        for name in _NUMBERS
        if name in version.metrics
    ]
    return Markup("<dl>{}</dl>").format(Markup("").join(cells)) if cells else Markup("")


def _moment(at: dt.datetime) -> str:
    return at.astimezone(dt.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
