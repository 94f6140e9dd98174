"""`bluegold scan`: what a code base is made of, with the place that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bluegold.cli.terminal import JsonOption, emit

__all__ = ["scan"]


def scan(
    path: Annotated[Path, typer.Argument(help="Folder of the code base; nothing in it is run.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Read a code base without running it and list what it uses, declares and mentions."""
    from bluegold.design.scan import scan as look

    found = look(path)
    lines = [
        f"{one.section} {one.kind:<18} {one.technology:<22} {one.usage:<10} {one.evidence:<14} {one.path}:{one.line}"
        for one in found
    ]
    used = len({one.technology for one in found if one.usage == "used"})
    lines.append(f"{len(found)} findings, {used} technologies in use")
    emit({"findings": found}, as_json=as_json, text="\n".join(lines))
