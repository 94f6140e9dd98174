"""The pages as HTML: templates and one style sheet, nothing from anywhere else."""

from __future__ import annotations

import datetime as dt
import functools
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from bluegold.console.sessions import Session
from bluegold.console.trace_view import TracePage
from bluegold.console.version_view import VersionPage
from bluegold.console.view import GATES, PHASES, Page
from bluegold.core.errors import BluegoldError
from bluegold.core.nouns import ModelVersion
from bluegold.registry.source_rows import PART_NAMES, USED_ON
from bluegold.requirements.checklist import shown_limit, shown_value

__all__ = ["render", "render_problem", "render_sign_in", "render_trace", "render_version"]

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


def render(page: Page, refresh: int = 5, session: Session | None = None) -> str:
    """The first page.

    Args:
        page: what to show.
        refresh: seconds until the browser asks again, 0 for never.
        session: of whoever signed in.
    """
    return _rendered("overview", page=page, refresh=refresh, session=session)


def render_version(page: VersionPage, session: Session | None, *, users: bool, said: str = "") -> str:
    """The page of one version.

    Args:
        page: what to show.
        session: of whoever signed in.
        users: whether the workspace has users at all.
        said: what was done just now.
    """
    return _rendered("version", page=page, session=session, users=users, said=said)


def render_trace(page: TracePage, session: Session | None) -> str:
    """The page of a trace."""
    return _rendered("trace", page=page, session=session)


def render_sign_in(then: str, *, users: bool, problem: str = "") -> str:
    """The page where a key is given; afterwards the browser goes to ``then``."""
    return _rendered("sign_in", users=users, then=then, problem=problem, session=None)


def render_problem(error: BluegoldError, session: Session | None) -> str:
    """What went wrong, why, and the way out."""
    return _rendered("problem", error=error, session=session)


def _rendered(name: str, **values: Any) -> str:
    return _environment().get_template(f"{name}.html.j2").render(**values)


@functools.cache
def _environment() -> jinja2.Environment:
    here = files("bluegold.console")
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(lambda name: (here / name).read_text(encoding="utf-8")),
    )
    environment.filters |= {
        "moment": _moment,
        "instant": _instant,
        "number": _number,
        "limit": shown_limit,
        "value": shown_value,
    }
    style = Markup((here / "style.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file
    environment.globals |= {
        "style": style,
        "gates": GATES,
        "phases": PHASES,
        "grade": _GRADE,
        "numbers": _numbers,
        "parts": PART_NAMES,
        "used": USED_ON,
    }
    return environment


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


def _instant(at: int) -> str:
    """A moment in microseconds since 1970."""
    return _moment(dt.datetime.fromtimestamp(at / 1e6, dt.timezone.utc))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
