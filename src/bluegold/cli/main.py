"""The `bluegold` command: a table of verbs, one file each.

Exit status: 0 done, 1 failed or refused, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import importlib
import sys
from typing import Annotated

import typer

from bluegold._version import __version__
from bluegold.cli.terminal import guarded

__all__ = ["VERBS", "build", "main"]

#: panel -> verbs; each verb `x` is the function `x` in `bluegold/cli/x.py`
VERBS: dict[str, tuple[str, ...]] = {
    "Start": ("demo", "init", "doctor"),
    "Design": ("scan", "design", "assess"),
    "Develop": ("develop", "retrain"),
    "Deliver": ("deliver", "review", "approve", "promote", "rollback", "experiment", "history", "versions"),
    "Run": ("up", "reload", "stop", "score", "stream", "results"),
    "Keep": ("user", "keys", "backup", "restore"),
    "Prove": ("prove", "trace", "audit", "where", "export", "mlflow"),
}


def build() -> typer.Typer:
    """Assemble the command from the table of verbs."""
    app = typer.Typer(
        name="bluegold",
        help="Architecture you can run: design, develop, deliver, serve and prove an AI pipeline from one definition.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    app.callback()(_root)
    for panel, names in VERBS.items():
        for name in names:
            verb = getattr(importlib.import_module(f"bluegold.cli.{name}"), name)
            if isinstance(verb, typer.Typer):
                app.add_typer(verb, name=name, rich_help_panel=panel)
            else:
                app.command(name, rich_help_panel=panel)(verb)
    return app


def _root(
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        sys.stdout.write(f"bluegold {__version__}\n")
        raise typer.Exit


def main() -> None:
    """Entry point of the console script."""
    app = build()
    sys.exit(guarded(app))
