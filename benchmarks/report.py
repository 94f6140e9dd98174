"""Render every result of the benchmarks into `docs/performance.md`.

A benchmark writes `benchmarks/results/NAME.json` with `title`, `what`, `command`, `machine`, `columns`,
`rows` and `notes`; this writes them down as one page, in the order of their names.

    python benchmarks/report.py
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

__all__ = ["Result", "main", "page", "read_results"]

HERE = Path(__file__).parent
HEAD = """# Performance
Every table here was written by the benchmark named above it, each against its alternative in the same run, on the
machine it names. Timings on shared machines drift: read the ratios. Run one again with its command, and this page with
`python benchmarks/report.py`.
"""


class Result(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What one benchmark found."""

    title: str
    what: str
    command: str
    machine: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | int | None, ...], ...]
    notes: tuple[str, ...] = ()


def read_results(folder: Path) -> tuple[Result, ...]:
    """Read the results of a folder, by name.

    >>> read_results(Path("/nowhere"))
    ()
    """
    return tuple(msgspec.json.decode(path.read_bytes(), type=Result) for path in sorted(folder.glob("*.json")))


def _cell(value: str | float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else value.replace("|", "\\|")


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def page(results: Sequence[Result]) -> str:
    """One Markdown page of all results.

    >>> one = Result(title="Reads", what="w", command="c", machine="m", columns=("a",), rows=((1234.5,),))
    >>> print(page([one]).splitlines()[-2])
    | 1,234 |
    """
    parts = [HEAD]
    for result in results:
        parts.append(f"\n## {result.title}\n{result.what}\n\n`{result.command}` · {result.machine}\n\n")
        parts.append(_line(result.columns) + "\n" + _line(["---"] * len(result.columns)) + "\n")
        parts.extend(_line([_cell(value) for value in row]) + "\n" for row in result.rows)
        parts.extend(f"\n- {note}" for note in result.notes)
        parts.append("\n")
    return "".join(parts)


def main() -> int:
    """Write the page."""
    target = HERE.parent / "docs" / "performance.md"
    target.write_text(page(read_results(HERE / "results")), encoding="utf-8")
    sys.stdout.write(f"{target.name} written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
