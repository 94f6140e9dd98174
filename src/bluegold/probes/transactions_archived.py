"""CP-2: financial transactions archived."""

from __future__ import annotations

import shutil

import polars as pl

from bluegold.core.errors import IntegrityError
from bluegold.core.nouns import Evidence
from bluegold.core.plan import Plan, Retention
from bluegold.core.workspace import Workspace
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.client import Client
from bluegold.probes.instruments.personal import made_up
from bluegold.probes.scratch import ACTOR, NotApplicable, NotMeasured
from bluegold.production.results.archive import Archive
from bluegold.production.results.retention import accounted, retain
from bluegold.registry.registry import Registry

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "CP-2"
SENT = 20


def measure(bench: Bench) -> Evidence:
    """Send transactions in, archive a copy of their decisions, then change and lose archived ones.

    Raises:
        NotApplicable: the contract's rows are no financial transactions.
        NotMeasured: nothing is in production, or it did not answer.
    """
    if not bench.program.contract.transactions:
        raise NotApplicable("its contract does not say transactions = True")
    scratch = bench.scratch()
    with Client(scratch.endpoint) as client:
        answers = [client.post("/v1/predict", one.body) for one in made_up(bench, count=SENT)]
    if any(status != 200 for status, _ in answers):
        raise NotMeasured(f"the scratch server answered {answers[0][0]} to transactions")
    ids = {answer["id"] for _, answer in answers}
    plan = (bench.plan or Plan(system=bench.model)).retention
    with bench.copy() as space:
        shutil.copytree(scratch.workspace.decisions, space.decisions, dirs_exist_ok=True)
        with Registry.open(space, actor=ACTOR) as registry:
            retain(space, registry, Retention(archive="archive"))
        state, archive = accounted(space, Retention(archive="archive")), Archive(space, "archive")
        there = set(archive.decisions().select(pl.col("id")).collect()["id"].to_list()) if state.files else set()
        wrong = [f"{len(ids - there)} of {len(ids)} answered transactions are not in the archive"] * bool(ids - there)
        wrong += [] if state.complete else [f"the archive is incomplete: {', '.join(state.missing[:3])}"]
        wrong += _attacked(archive)
    wrong += _here(bench.workspace, plan)
    said = f"not held: {wrong[0]}" if wrong else "all were there, and each change and loss was named"
    return bench.evidence(
        REQUIREMENT,
        not wrong,
        samples=state.decisions,
        method=f"{SENT} transactions answered and archived in a copy with {state.decisions:,} decisions; a copy in "
        f"the archive changed, another removed; this workspace's own archive held against its decisions: {said}",
        artefact="archive",
    )


def _attacked(archive: Archive) -> list[str]:
    """Change an archived file, then remove it; what verification did not see."""
    path = next((name for name in archive.items if name.startswith("results/decisions/")), "")
    if not path:
        return ["nothing was archived"]
    place = archive.place(path)
    raw = bytearray(place.read_bytes())
    raw[len(raw) // 2] ^= 1
    unseen = []
    for what in ("changed", "removed"):
        if what == "changed":
            place.write_bytes(raw)
        else:
            place.unlink()
        try:
            archive.verify()
        except IntegrityError:
            continue
        unseen.append(f"an archived file was {what} and verification did not see it")
    return unseen


def _here(workspace: Workspace, plan: Retention) -> list[str]:
    """What is missing in the archive of the workspace that is measured."""
    try:
        state = accounted(workspace, plan)
    except IntegrityError as error:
        return [str(error)]
    if state.complete:
        return []
    return [
        f"decisions of this workspace are not archived: {', '.join(state.missing[:2])}; run 'bluegold results retain'"
    ]
