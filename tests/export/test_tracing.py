"""From a source row to the decisions that rest on it and back, on a system that is really developed and answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from bluegold.cli.trace import trace
from bluegold.core.errors import BluegoldError, DataError, UsageError
from bluegold.core.workspace import Workspace
from bluegold.development import develop
from bluegold.export.tracing import behind, trace_rows
from bluegold.features.loader import load_system
from bluegold.features.system import Data
from bluegold.production.consumer import stream_desk
from bluegold.production.results.decision_log import DecisionLog
from bluegold.production.results.records import DecisionRecord, OutcomeRecord
from bluegold.production.results.results_store import ResultsStore
from bluegold.production.results.tally import outcomes_of, tally
from bluegold.production.sources.lines import LineSource
from bluegold.production.streaming import consume
from bluegold.registry import Registry

DEFINITION = """
import bluegold as bg
import polars as pl

class Pump(bg.Contract):
    "One pump."
    owner: str = bg.text(max_length=40, personal=True)
    place: str = bg.category("well", "mine")
    load: float = bg.number(ge=0, le=100)
    age: int = bg.number(ge=0)

system = bg.System("pumps", contract=Pump, target=pl.col("broke"), split=bg.by_share(seed=3))
system.use("place", "load", "age")
system.model("logistic")

@system.source
def load() -> bg.Data:
    raise RuntimeError("the rows are given")
"""
REFUSED, UNKNOWN = 17, 23


class World(NamedTuple):
    space: Workspace
    file: Path
    rows: pl.DataFrame
    decision: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two versions of one source, the second in production; it answered three requests."""
    folder = tmp_path_factory.mktemp("tracing")
    random = np.random.default_rng(5)
    load = random.uniform(0, 100, 400).round(3)
    broke: list[bool | None] = (random.random(400) < 1 / (1 + np.exp(-(load - 50) / 8))).tolist()
    load[REFUSED], broke[UNKNOWN] = 400.0, None
    rows = pl.DataFrame(
        {
            "id": [f"p{i}" for i in range(400)],
            "owner": [f"owner {i % 90}" for i in range(400)],
            "place": random.choice(["well", "mine"], 400),
            "load": load,
            "age": random.integers(0, 30, 400),
            "broke": broke,
        }
    )
    rows.write_csv(folder / "pumps.csv")
    (folder / "pipeline.py").write_text(DEFINITION)
    (folder / "architecture.yaml").write_text("system: pumps\n")
    system, space = load_system(folder), Workspace.create(folder / "w")
    with Registry.open(space, actor="ada") as registry:
        for seed in (7, 8):
            version = develop(system, space, registry, author="ada", seed=seed, data=Data(rows), folder=folder)
            for stage in ("Staging", "Canary"):
                registry.lifecycle.transition(version.ref, stage)
        registry.releases.open("pumps:v2")
        registry.promote("pumps:v2", reason="good")
        fields = ["owner", "place", "load", "age"]
        (folder / "asked.jsonl").write_bytes(rows[[0, 1, 2]].select(fields).write_ndjson().encode())
        with (
            stream_desk(space, registry, "pumps") as desk,
            (folder / "asked.jsonl").open("rb") as asked,
            (folder / "answers.jsonl").open("wb") as answers,
        ):
            consume(desk, LineSource(asked, folder / "asked.jsonl"), answers, kept=None, dead=folder / "dead.jsonl")
    answered = [json.loads(line) for line in (folder / "answers.jsonl").read_bytes().splitlines()]
    decision = str(answered[0]["id"])
    _outcome(space, decision)
    return World(space, folder / "pumps.csv", rows, decision)


def _outcome(space: Workspace, decision: str) -> None:
    async def write() -> None:
        log = DecisionLog(space.decisions, worker=3)
        await log.write([OutcomeRecord(id=decision, value=True, at=1_800_000_000_000_000)])
        log.close()

    asyncio.run(write())


@pytest.fixture
def registry(world: World) -> Iterator[Registry]:
    with Registry.open(world.space, actor="ben") as opened:
        yield opened


def run(world: World, *words: str) -> Any:
    app = typer.Typer()
    app.command()(trace)
    result = CliRunner().invoke(app, [*words, "--json", "--workspace", str(world.space.root)])
    if result.exception is not None:
        raise result.exception
    text = CliRunner().invoke(app, [*words, "--workspace", str(world.space.root)], catch_exceptions=False).stdout
    return json.loads(result.stdout), text


def test_a_row_of_the_file_leads_to_versions_and_decisions(world: World, registry: Registry) -> None:
    holdout = behind(registry, world.space, registry.versions.get("pumps:v2")).first["holdout"]  # type: ignore[union-attr]
    told, text = run(world, "--row", f"{world.file}:{holdout[0]}")
    assert told["rows"][0]["row"] == holdout[0]
    assert "at the same place" in told["how"]
    assert [(one["ref"], one["uses"]) for one in told["versions"]] == [
        ("pumps:v2", {str(holdout[0]): "judged"}),
        ("pumps:v1", {str(holdout[0]): "judged"}),
    ]
    answered = told["versions"][0]["answered"]
    assert (answered["decisions"], answered["exact"]) == (3, True)
    assert {one["id"]: one["outcome"] for one in answered["latest"]}[world.decision] == "true"
    assert told["versions"][1]["answered"]["decisions"] == 0
    assert told["versions"][0]["releases"][0]["id"] == "r1"
    for piece in (
        "hold-out",
        "pumps:v2  Production",
        "decisions    3",
        world.decision,
        "outcome true",
        "release    r1",
    ):
        assert piece in text


def test_a_refused_row_says_why_and_an_unlabelled_one_was_used_by_nobody(world: World, registry: Registry) -> None:
    told, text = run(world, "pumps:v2", "--row", str(REFUSED))
    assert told["rows"][0]["part"] == "quarantine"
    assert told["rows"][0]["reasons"] == ["load:outside"]
    assert told["versions"][0]["uses"] == {str(REFUSED): "refused for"}
    assert "refused: load:outside" in text
    by_file, _ = run(world, "--row", f"{world.file}:{REFUSED}")
    assert by_file["rows"] == told["rows"]
    unused = trace_rows(registry, world.space, [str(UNKNOWN)], "pumps:v1")
    assert (unused.rows[0].part, unused.versions) == ("valid", ())


def test_rows_are_found_by_their_values(world: World, registry: Registry) -> None:
    row = world.rows.row(5, named=True)
    found = trace_rows(registry, world.space, [f"load={row['load']}", f"place={row['place']}"])
    assert [one.row for one in found.rows] == [5]
    many = trace_rows(registry, world.space, ["place=well"], limit=3)
    assert many.total == world.rows.filter(pl.col("place") == "well").height
    assert len(many.rows) == 3
    assert found.rows[0].values["owner"] != row["owner"]  # personal: a pseudonym, as it was stored


def test_a_decision_leads_back_to_its_data_and_to_the_row_with_its_input(world: World) -> None:
    told, text = run(world, world.decision)
    counts = told["rows"]["counts"]
    assert told["rows"]["rows"] == 400
    assert (counts["quarantine"], counts["valid"]) == (1, 399)
    assert counts["train"] + counts["validate"] + counts["holdout"] == 398
    assert [one["row"] for one in told["rows"]["same"]] == [0]
    assert told["outcomes"][0]["value"] is True
    assert "same input row 0" in text
    edges = {(one["source"].partition(":")[0], one["relation"]) for one in told["lineage"]}
    assert {("table", "trained"), ("table", "judged"), ("rows", "loaded as"), ("data", "trained")} <= edges
    down, _ = run(world, f"rows:{told['rows']['source']}")
    assert ("pumps:v2", "released by", "release:r1") in {
        (one["source"], one["relation"], one["target"]) for one in down["came_of_it"]
    }


def test_a_changed_table_of_rows_is_named(world: World, registry: Registry) -> None:
    stored = json.loads(registry.versions.artefact("pumps:v2", "rows.json"))["tables"]["train"]
    path = world.space.objects / stored[:2] / stored
    whole = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(whole[:-1] + b"\0")
    with pytest.raises(BluegoldError, match="the train rows of pumps:v2 cannot be read"):
        trace_rows(registry, world.space, ["3"], "pumps:v2")
    path.write_bytes(whole)


def test_questions_that_name_no_row(world: World, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("place,load\nmine,3.25\n")
    for words in (["400"], ["load=1e9"], [f"{tmp_path / 'other.csv'}:0"]):
        with pytest.raises(UsageError, match="no stored row is"):
            trace_rows(registry, world.space, words, "pumps:v2")
    for wrong in ([], ["x"], ["3", "place=well"], ["colour=red"], ["load=heavy"]):
        with pytest.raises(UsageError):
            trace_rows(registry, world.space, wrong)
    for file in ("other.csv:1", "none.csv:0", "other.txt:0"):
        with pytest.raises(DataError):
            trace_rows(registry, world.space, [f"{tmp_path}/{file}"])
    with pytest.raises(UsageError, match="nothing to trace"):
        run(world)


def test_counting_reads_no_more_of_the_log_than_agreed(tmp_path: Path) -> None:
    space = Workspace.create(tmp_path / "w")

    async def write(first: int, last: int) -> list[str]:
        log = DecisionLog(space.decisions, worker=0)
        made = [
            DecisionRecord(at=n, model="m", version="v1", color="blue", value=n % 2 == 0, score=0.5)
            for n in range(first, last)
        ]
        await log.write(made)
        await log.write([OutcomeRecord(id=made[0].id, value=2.5, at=last)])
        log.close()
        return [one.id for one in made]

    older = asyncio.run(write(0, 50))
    ResultsStore(space).export()
    newer = asyncio.run(write(50, 60))
    found, unread = tally(space, ["m:v1", "m:v9"], latest=15)
    assert (found["m:v1"].decisions, found["m:v1"].exact, unread) == (60, True, 0)
    assert [one.id for one in found["m:v1"].latest] == (older + newer)[:44:-1]
    assert found["m:v1"].latest[9].outcome == "2.5"
    assert found["m:v9"].decisions == 0
    some, left = tally(space, ["m:v1"], budget=1_000)
    assert left > 0
    assert (some["m:v1"].exact, 50 < some["m:v1"].decisions < 60) == (False, True)
    assert [one.value for one in outcomes_of(space, older[0])[0]] == [2.5]
    assert [one.value for one in outcomes_of(space, newer[0])[0]] == [2.5]
