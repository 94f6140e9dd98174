"""`bluegold scan`: what a code base is made of, every finding with its place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluegold.cli.terminal import JsonOption, emit

if TYPE_CHECKING:
    from bluegold.design.scan import Survey

__all__ = ["scan"]

SHOWN = 60


def scan(
    path: Annotated[Path, typer.Argument(help="Folder of a code base; nothing in it is executed.")],
    detectors: Annotated[
        list[Path] | None, typer.Option("--detectors", help="TOML file with further detectors; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows of the table at most.")] = SHOWN,
    json: JsonOption = False,
) -> None:
    """Show which technologies a code base uses, declares or only mentions, with path and line."""
    from bluegold.design.scan import read_detectors, survey

    further = [row for file in detectors or () for row in read_detectors(file)]
    found = survey(path, detectors=further)
    emit({"findings": found.findings}, as_json=json, text=lambda: _table(path, found, limit))


def _table(path: Path, found: Survey, limit: int) -> str:
    """The findings for people: one row per technology, grouped by usage."""
    from bluegold.design.scan.summary import shows_machine_learning, technologies

    seen = technologies(found.findings)
    lines = [f"{path}: {found.files:,} files, {found.read:,} read{_skipped(found.skipped)}"]
    if not found.files:
        return "\n".join([*lines, "The folder is empty: there is nothing to scan."])
    if not shows_machine_learning(found.findings):
        lines.append("No machine learning is used or declared here.")
    width = max((len(item.technology) for item in seen), default=0)
    for usage in ("used", "declared", "mentioned"):
        group = [item for item in seen if item.usage == usage]
        if group:
            lines.append(f"\n{usage} ({len(group)})")
        for item in group[:limit]:
            where = f"{item.best.path}:{item.best.line}"
            more = f"  +{item.findings - 1} more" if item.findings > 1 else ""
            scope = f" [{item.best.scope}]" if item.best.scope != "main" else ""
            detail = "".join(c for c in item.best.detail if c.isprintable())
            lines.append(
                f"  {item.section}  {item.technology:<{width}}  {item.kind:<16}  {item.confidence:.2f}  "
                f"{where}{scope}  {detail}{more}"
            )
        if len(group) > limit:
            lines.append(f"  ... and {len(group) - limit} more; --limit {len(group)} or --json shows them all")
    return "\n".join(lines)


def _skipped(skipped: dict[str, int]) -> str:
    return "; skipped " + ", ".join(f"{count} {reason}" for reason, count in skipped.items()) if skipped else ""
