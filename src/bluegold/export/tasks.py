"""The development pipeline as plain tasks, independent of who will schedule them."""

from __future__ import annotations

import sys
from pathlib import Path

from bluegold.core.nouns import Noun
from bluegold.core.plan import Plan
from bluegold.core.plan_file import read_plan

__all__ = ["Task", "tasks"]


class Task(Noun, frozen=True, kw_only=True):
    """One stage as a schedulable task; ``needs`` are the names of the tasks before it."""

    name: str
    purpose: str
    command: tuple[str, ...]
    needs: tuple[str, ...]
    timeout_s: float
    retries: int


def tasks(system: Path, workspace: Path) -> tuple[Task, ...]:
    """The stages of S1 as tasks in order.

    Args:
        system: folder of ``pipeline.py``.
        workspace: folder that the tasks share.
    """
    from bluegold.development.pipeline import stages_of

    plan = system / "architecture.yaml"
    found: list[Task] = []
    for stage in stages_of(read_plan(plan) if plan.is_file() else Plan(system=system.name)):
        contract = stage.contract
        command = (sys.executable, "-m", "bluegold.export.stage", contract.name)
        found.append(
            Task(
                name=contract.name.replace(" ", "_").replace("/", "_").replace("-", "_").lower(),
                purpose=contract.purpose,
                command=(*command, "--system", str(system), "--workspace", str(workspace)),
                needs=(found[-1].name,) if found else (),
                timeout_s=contract.timeout_s,
                retries=contract.retries,
            )
        )
    return tuple(found)
