"""The built-in runner: content-addressed, resumable, crash-only.

A stage runs only when its key is new.  The key is the digest of the stage's name, its code, the parts
of the definition it reads, the seed and the digests of its inputs.  Outputs are stored first and the
record that names them last and atomically, so a process killed at any moment leaves either a finished
stage or nothing: running again goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bluegold.core.errors import BluegoldError, StageError
from bluegold.core.nouns import Port, StageRun, now
from bluegold.core.workspace import write_atomic
from bluegold.development.artefacts import Artefacts
from bluegold.development.digests import code_digest, sha256_json
from bluegold.development.stage import Origin, Stage, StageContext, StageEvent
from bluegold.engine import Engine, Limits

__all__ = ["Run", "Runner"]

OnEvent = Callable[[StageEvent], None]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished (or failed) run leaves in ``runs/<run_id>/run.json``."""

    run_id: str
    origin: Origin
    stages: tuple[StageRun, ...]


class Runner:
    """Run stages in order, reusing what is finished.

    Args:
        folder: where records are kept (``runs/``).
        artefacts: where port values are kept.
        engine: where stages run.
        on_event: told about every start, reuse, end and failure.
        resume: False runs every stage again even when a finished one exists.
    """

    def __init__(
        self,
        folder: Path,
        artefacts: Artefacts,
        engine: Engine,
        on_event: OnEvent | None = None,
        *,
        resume: bool = True,
    ) -> None:
        self._folder = folder
        self._artefacts = artefacts
        self._engine = engine
        self._on_event = on_event or (lambda _event: None)
        self._resume = resume

    def run(
        self,
        stages: tuple[Stage, ...],
        make_context: Callable[[Callable[[str], Any], Callable[[str], None]], StageContext],
        given: Mapping[str, str],
        definition: Mapping[str, str],
        origin: Origin,
    ) -> dict[str, Any]:
        """Run ``stages`` and return a reader of every port's value.

        Args:
            stages: in an order in which every input is made before it is needed.
            make_context: builds a stage's context from its port reader and its note function.
            given: port -> digest of what comes from outside (already warm in the artefacts).
            definition: part of the definition -> digest.
            origin: identities of the run.

        Returns:
            port -> value of the last stage's outputs.

        Raises:
            StageError: a stage failed for a reason nobody foresaw; it names the stage.
            BluegoldError: a stage refused its input.
        """
        digests: dict[str, str] = dict(given)
        ports: dict[str, Port] = {port.name: port for stage in stages for port in stage.contract.outputs}
        done: list[StageRun] = []
        home = self._folder / origin.run_id
        home.mkdir(parents=True, exist_ok=True)
        for number, stage in enumerate(stages, start=1):
            teller = _Teller(self._on_event, stage, number, len(stages))
            inputs = {port.name: digests[port.name] for port in stage.contract.inputs}
            readable = {port.name: ports.get(port.name, port) for port in stage.contract.inputs}

            def take(name: str, inputs: dict[str, str] = inputs, readable: dict[str, Port] = readable) -> Any:
                return self._artefacts.get(readable[name], inputs[name])

            context = make_context(take, teller.note)
            context.inputs = inputs
            key = self._key(stage, inputs, definition, origin)
            found = self._finished(stage, key, context) or self._execute(stage, key, context, inputs, teller)
            if found.outcome == "reused":
                teller.tell("reused", found.seconds)
            digests.update(found.outputs)
            done.append(found)
            record = Run(run_id=origin.run_id, origin=origin, stages=tuple(done))
            write_atomic(home / "run.json", msgspec.json.encode(record))
        last = stages[-1].contract
        return {port.name: self._artefacts.get(port, digests[port.name]) for port in last.outputs}

    def _key(self, stage: Stage, inputs: dict[str, str], definition: Mapping[str, str], origin: Origin) -> str:
        parts = {part: definition[part] for part in stage.reads}
        return sha256_json([stage.contract.name, code_digest(stage.source), origin.seed, parts, inputs])

    def _finished(self, stage: Stage, key: str, context: StageContext) -> StageRun | None:
        path = self._folder / "stages" / f"{key}.json"
        if not self._resume or not path.is_file():
            return None
        try:
            record = msgspec.json.decode(path.read_bytes(), type=StageRun)
        except msgspec.DecodeError:
            return None  # not ours or from another version: the stage simply runs again
        if not all(self._artefacts.holds(digest) for digest in record.outputs.values()):
            return None
        if stage.still_holds is not None:
            outputs = {p.name: self._artefacts.get(p, record.outputs[p.name]) for p in stage.contract.outputs}
            if not stage.still_holds(context, outputs):
                return None
        return msgspec.structs.replace(record, outcome="reused")

    def _execute(
        self, stage: Stage, key: str, context: StageContext, inputs: dict[str, str], teller: _Teller
    ) -> StageRun:
        contract = stage.contract
        teller.tell("started")
        at, clock = now(), time.perf_counter()
        limits = Limits(timeout_s=contract.timeout_s, retries=contract.retries)
        try:
            values = self._engine.run(stage.run, context, limits=limits)
            outputs = {port.name: self._artefacts.put(port, values[port.name]) for port in contract.outputs}
        except BluegoldError as error:
            teller.tell("failed", time.perf_counter() - clock, str(error))
            error.subject = error.subject or contract.name
            raise
        except OSError as error:
            teller.tell("failed", time.perf_counter() - clock, str(error))
            raise  # disk full or no right to write: told by the command line as what it is
        except Exception as error:  # the one place where any bug in a stage gets its name
            teller.tell("failed", time.perf_counter() - clock, str(error))
            raise StageError(
                f"stage '{contract.name}' failed with {type(error).__name__}",
                why=" ".join(str(error).split())[:500],
                way_out="correct the definition or the data; finished stages are kept and will be reused",
                subject=contract.name,
            ) from error
        seconds = time.perf_counter() - clock
        record = StageRun(
            stage=contract.name,
            run_id=context.origin.run_id,
            outcome="done",
            inputs=inputs,
            outputs=outputs,
            started_at=at,
            seconds=seconds,
        )
        index = self._folder / "stages"
        index.mkdir(exist_ok=True)
        write_atomic(index / f"{key}.json", msgspec.json.encode(record))
        teller.tell("done", seconds)
        return record


class _Teller:
    """Speaks about one stage."""

    def __init__(self, on_event: OnEvent, stage: Stage, number: int, total: int) -> None:
        self._on_event, self._stage, self._number, self._total = on_event, stage, number, total

    def tell(self, what: Any, seconds: float = 0.0, text: str = "") -> None:
        self._on_event(
            StageEvent(
                stage=self._stage.contract.name,
                title=self._stage.title,
                what=what,
                number=self._number,
                total=self._total,
                seconds=seconds,
                text=text,
            )
        )

    def note(self, text: str) -> None:
        self.tell("note", text=text)
