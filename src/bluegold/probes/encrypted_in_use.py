"""CP-4: financial identification data encrypted in use."""

from __future__ import annotations

from pathlib import Path

from bluegold.core.nouns import Evidence
from bluegold.probes.bench import Bench
from bluegold.probes.instruments.client import Client
from bluegold.probes.instruments.memory import remnants
from bluegold.probes.instruments.personal import made_up
from bluegold.probes.scratch import NotApplicable, NotMeasured
from bluegold.production.operations.board import Cell
from bluegold.security.memory import memory_closed

__all__ = ["REQUIREMENT", "measure"]

REQUIREMENT = "CP-4"
SENT = 5
WHAT = (
    "provided: past decoding the path works on pseudonyms, values are encrypted before they are recorded, workers dump "
    "no core; not provided: an enclave, so the superuser can read a value while its request is being received"
)


def measure(bench: Bench) -> Evidence:
    """Send identifiers in, then search the memory of every serving process for them, as a dump would show it.

    Raises:
        NotApplicable: no field of the contract is marked ``financial_id``.
        NotMeasured: nothing is in production, it did not answer, or the system does not let its memory be read.
    """
    if not any(field.financial_id for field in bench.program.contract.fields):
        raise NotApplicable("no field of its contract is marked financial_id")
    scratch = bench.scratch()
    sent = made_up(bench, financial=True, count=SENT)
    with Client(scratch.endpoint) as client:
        answers = [client.post("/v1/predict", one.body)[0] for one in sent]
    if set(answers) != {200}:
        raise NotMeasured(f"the scratch server answered {answers} to made-up values")
    values = [value for one in sent for value in one.values.values()]
    processes = [slot[Cell.PID] for slot in scratch.board.slots()] + [scratch.endpoint.pid]
    try:
        left = {pid: remnants(pid, values) for pid in processes}
        dumps = [pid for pid in processes[:-1] if not memory_closed(pid)]
    except OSError as error:
        raise NotMeasured(
            "the memory of the serving processes cannot be read", why=str(error), way_out="run this as the superuser"
        ) from error
    logged = _logged(Path(scratch.workspace.run), values)
    wrong = [f"{count} copies in the memory of process {pid} after the answers" for pid, count in left.items() if count]
    wrong += [f"process {pid} may dump its memory" for pid in dumps] + [f"logged in {name}" for name in logged]
    said = f"not held: {'; '.join(wrong)}" if wrong else "none was found"
    return bench.evidence(
        REQUIREMENT,
        not wrong,
        samples=len(values) * len(processes),
        method=f"{len(values)} made-up identifiers sent in, then looked for in all readable memory of {len(processes)} "
        f"serving processes and in their logs: {said}; {WHAT}",
        artefact="run",
    )


def _logged(folder: Path, values: list[str]) -> list[str]:
    """Logs and other files of running processes that hold a value."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if any(value.encode() in path.read_bytes() for value in values)]
