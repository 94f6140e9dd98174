"""`bluegold where`: the file that measures a requirement and the part of the code that answers it."""

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
    """Print the file that measures a requirement."""
    from bluegold.probes.table import PROBES, UNMEASURED
    from bluegold.requirements.catalog import requirement

    row = requirement(identifier)
    module = PROBES.get(row.id)
    probe = str(module.__file__) if module else ""
    value = {"id": row.id, "title": row.title, "probe": probe, "component": row.component, "gate": row.gate}
    text = probe or f"needs instrumentation: {UNMEASURED.get(row.id, 'no probe measures it yet')}"
    emit(value, as_json=as_json, text=f"{text}\nanswered in {row.component}, gate {row.gate}: {row.title}")
