"""What the demo shows while it runs: acts and steps, with rich on a terminal and plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

__all__ = ["Screen"]


class Screen:
    """Progress on stderr, so that stdout stays the result's.

    Args:
        quiet: show nothing (for ``--json`` into a file, where nobody watches).

    Example:
        >>> with Screen(quiet=True) as screen:
        ...     screen.act("Develop")
        ...     screen.step("done")
    """

    def __init__(self, *, quiet: bool = False) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=not sys.stderr.isatty())
        self._started = time.monotonic()
        self._act = 0

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._console.print(f"\n[bold]done[/] in {self.elapsed:.0f} s")

    @property
    def elapsed(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._started

    def act(self, title: str) -> None:
        """Begin a new act."""
        self._act += 1
        self._console.print(f"\n[bold blue]{self._act}. {title}[/]  [dim]{self.elapsed:.0f} s[/]")

    def step(self, text: str) -> None:
        """Say that a step went as it should."""
        self._line("green", "✓", text)

    def note(self, text: str) -> None:
        """Say something worth knowing."""
        self._line("dim", "·", text)

    def loud(self, text: str) -> None:
        """Say something that nobody may overlook."""
        self._line("bold red", "!", text)

    def _line(self, style: str, mark: str, text: str) -> None:
        from rich.markup import escape

        self._console.print(
            f"  [{style}]{mark} {escape(text)}[/]" if style != "green" else f"  [green]{mark}[/] {escape(text)}"
        )
