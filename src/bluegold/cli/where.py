"""`bluegold where`: the place that measures a requirement, and the part of the code that answers it."""

from __future__ import annotations

from typing import Annotated

import typer

from bluegold.cli.terminal import JsonOption, emit

__all__ = ["where"]


def where(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="A requirement, such as AP-10.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Print the file and line that measure a requirement, and the gate that it feeds."""
    from bluegold.probes.places import place
    from bluegold.requirements.catalog import requirement

    row = requirement(identifier)
    probe = place(row.id)
    value = {
        "id": row.id,
        "title": row.title,
        "probe": probe,
        "component": row.component,
        "gate": row.gate,
    }
    text = f"{probe}\n{row.id} {row.title}: answered in {row.component}, gate: {row.gate}"
    emit(value, as_json=as_json, text=text)
