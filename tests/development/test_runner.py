"""The runner on stages of a few lines: keys, reuse, failures, records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from bluegold.core.errors import DataError, StageError
from bluegold.core.nouns import Port, StageContract
from bluegold.development.artefacts import Artefacts
from bluegold.development.runner import Run, Runner
from bluegold.development.stage import Origin, Stage, StageContext, StageEvent
from bluegold.engine import LocalEngine
from bluegold.stores.object_files import ObjectFiles

ORIGIN = Origin(run_id="r1", data="d", code="c", environment="e", seed=7, author="ada")
ROWS = pl.DataFrame({"x": [1, 2, 3]})


def _stage(
    name: str, inputs: dict[str, str], outputs: dict[str, str], work: Callable[[Any], Any], **more: Any
) -> Stage:
    contract = StageContract(
        name=name,
        section="S1",
        purpose=name,
        inputs=tuple(Port(name=port, kind=kind) for port, kind in inputs.items()),  # type: ignore[arg-type] - a literal
        outputs=tuple(Port(name=port, kind=kind) for port, kind in outputs.items()),  # type: ignore[arg-type] - a literal
        gate="none",
    )
    return Stage(title=name, contract=contract, reads=("target",), run=work, source=Path(__file__), **more)


class Bench:
    """A folder, stages that count how often they ran, and a way to run them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ran, self.events = folder, list[str](), list[StageEvent]()
        (folder / "runs").mkdir()
        self.factor = 2

    def stages(self) -> tuple[Stage, ...]:
        return (
            _stage("double", {"rows": "table"}, {"doubled": "table"}, self._double),
            _stage("total", {"doubled": "table"}, {"total": "json"}, self._total),
        )

    def run(self, stages: tuple[Stage, ...] | None = None, *, resume: bool = True, target: str = "t") -> dict[str, Any]:
        artefacts = Artefacts(ObjectFiles(self.folder / "objects"))
        artefacts.warm("rows-digest", ROWS)
        runner = Runner(self.folder / "runs", artefacts, LocalEngine(), self.events.append, resume=resume)

        def context(take: Callable[[str], Any], note: Callable[[str], None]) -> StageContext:
            return StageContext(None, None, None, ORIGIN, take, note)  # type: ignore[arg-type] - not used here

        return runner.run(stages or self.stages(), context, {"rows": "rows-digest"}, {"target": target}, ORIGIN)

    def _double(self, ctx: StageContext) -> dict[str, Any]:
        self.ran.append("double")
        return {"doubled": ctx.take("rows").with_columns(pl.col("x") * self.factor)}

    def _total(self, ctx: StageContext) -> dict[str, Any]:
        self.ran.append("total")
        ctx.note("adding up")
        return {"total": {"sum": ctx.take("doubled")["x"].sum()}}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_finished_stage_is_not_run_again(bench: Bench) -> None:
    assert bench.run() == bench.run() == {"total": {"sum": 12}}
    assert bench.ran == ["double", "total"]
    assert [e.what for e in bench.events] == ["started", "done", "started", "note", "done", "reused", "reused"]


def test_fresh_runs_everything_and_a_changed_definition_too(bench: Bench) -> None:
    bench.run()
    bench.run(resume=False)
    bench.run(target="another")
    assert bench.ran == ["double", "total"] * 3


def test_an_output_that_comes_out_the_same_stops_the_wave(bench: Bench) -> None:
    bench.run()
    (first, second) = bench.stages()
    renamed = msgspec.structs.replace(first, contract=msgspec.structs.replace(first.contract, name="double anew"))
    bench.run((renamed, second))
    assert bench.ran == ["double", "total", "double"]


def test_a_lost_artefact_is_made_again(bench: Bench) -> None:
    bench.run()
    for file in (bench.folder / "objects").rglob("*"):
        if file.is_file():
            file.unlink()
    assert bench.run() == {"total": {"sum": 12}}
    assert bench.ran == ["double", "total"] * 2


def test_a_torn_record_is_no_obstacle(bench: Bench) -> None:
    bench.run()
    for record in (bench.folder / "runs" / "stages").iterdir():
        record.write_bytes(record.read_bytes()[:40])
    assert bench.run() == {"total": {"sum": 12}}


def test_a_bug_in_a_stage_is_named_and_what_was_finished_stays(bench: Bench) -> None:
    def broken(_ctx: StageContext) -> dict[str, Any]:
        raise KeyError("oops")

    stages = (bench.stages()[0], _stage("total", {"doubled": "table"}, {"total": "json"}, broken))
    with pytest.raises(StageError, match="stage 'total' failed with KeyError") as caught:
        bench.run(stages)
    assert caught.value.subject == "total"
    assert bench.events[-1].what == "failed"
    bench.run()
    assert bench.ran == ["double", "total"]


def test_a_refusal_passes_as_it_is_and_names_its_stage(bench: Bench) -> None:
    def refuse(_ctx: StageContext) -> dict[str, Any]:
        raise DataError("the file is empty", way_out="give rows")

    with pytest.raises(DataError, match="the file is empty") as caught:
        bench.run((_stage("check", {"rows": "table"}, {"ok": "json"}, refuse),))
    assert caught.value.subject == "check"


def test_reuse_asks_the_stage_whether_it_still_holds(bench: Bench) -> None:
    first, second = bench.stages()
    gone = msgspec.structs.replace(second, still_holds=lambda _ctx, outputs: outputs["total"]["sum"] != 12)
    bench.run((first, gone))
    bench.run((first, gone))
    assert bench.ran == ["double", "total", "total"]


def test_the_record_of_a_run_tells_every_stage_with_its_digests(bench: Bench) -> None:
    bench.run()
    record = msgspec.json.decode((bench.folder / "runs" / "r1" / "run.json").read_bytes(), type=Run)
    assert [stage.stage for stage in record.stages] == ["double", "total"]
    assert record.stages[1].inputs["doubled"] == record.stages[0].outputs["doubled"]
    assert record.stages[0].inputs == {"rows": "rows-digest"}
