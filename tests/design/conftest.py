"""One small system that was really developed, with gate reports, evidence and a rollback on record."""

import datetime as dt

import pytest

from bluegold.core.nouns import Evidence, GateReport, Measure
from bluegold.core.workspace import Workspace
from bluegold.development import develop
from bluegold.features.loader import load_system
from bluegold.registry import Registry
from bluegold.requirements.ledger import Ledger

PIPELINE = '''
"""Will a parcel arrive late?"""
import datetime as dt
import numpy as np
import polars as pl
import bluegold as bg


class Parcel(bg.Contract):
    """One parcel, as known when it leaves the depot."""

    depot: str = bg.category("north", "south", description="where it starts")
    weight: float = bg.number(ge=0, le=30, unit="kg", outside="clip")
    left_at: dt.datetime = bg.time()


system = bg.System("parcels", contract=Parcel, target=pl.col("late_by") > 0, time="left_at", protected=("depot",))
system.use("depot", "weight")
system.feature("hour", pl.col("left_at").dt.hour())
system.history("depot_load_1h", pl.len(), by="depot", window="1h")
system.model("logistic")


@system.source
def load() -> bg.Data:
    random = np.random.default_rng(7)
    n = 3000
    weight, depot = random.uniform(0, 30, n), random.choice(["north", "south"], n)
    rows = pl.DataFrame({
        "depot": depot, "weight": weight,
        "left_at": [dt.datetime(2024, 1, 1) + dt.timedelta(minutes=i) for i in range(n)],
        "late_by": weight - 15 + random.normal(0, 3, n),
    })
    return bg.Data(rows=rows)
'''
PLAN = """
system: parcels
domain: logistics
topology: hybrid
latency_need: the driver waits at the gate
stores: {relational: "sqlite", key_value: lmdb, vector: none}
requirements:
  AP-7: {threshold: 0.85, objective: 0.9, reason: an early call is cheap}
why:
  topology: single parcels at the gate, the night's plan in batch
  key_value: the driver waits, so histories are read in microseconds
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("definition")
    (home / "pipeline.py").write_text(PIPELINE)
    (home / "architecture.yaml").write_text(PLAN)
    return home


@pytest.fixture(scope="session")
def system(folder):
    return load_system(folder)


@pytest.fixture(scope="session")
def workspace(system, tmp_path_factory):
    """v1 is in production, v2 was rolled back; two requirements were measured."""
    space = Workspace.create(tmp_path_factory.mktemp("workspace") / "w")
    with Registry.open(space, actor="ada") as registry:
        versions = [develop(system, space, registry, seed=seed, author="ada") for seed in (7, 8)]
        for version in versions:
            for number, name in enumerate(("model", "feature", "data_quality"), start=1):
                registry.gates.record(_report(version.ref, f"{number}_{name}"))
            for stage in ("Staging", "Canary"):
                registry.lifecycle.transition(version.ref, stage, reason="release")
        registry.lifecycle.transition(versions[0].ref, "Production", reason="first version")
        registry.lifecycle.transition(versions[1].ref, "RolledBack", reason="quality <b>lost</b> 3 % against Blue")
    ledger = Ledger(space.evidence)
    ledger.record(_evidence("AP-7", 0.912))
    ledger.record(_evidence("CP-5", True))
    return space


def _report(ref, gate):
    measure = Measure(name="accuracy", value=0.9, limit=0.85, n=600, verdict="pass", note="a | b")
    at = dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)
    return GateReport(
        gate=gate, candidate=ref, verdict="pass", measures=(measure,), reason="every threshold met", seconds=0.1, at=at
    )


def _evidence(requirement, value):
    return Evidence(
        requirement=requirement,
        value=value,
        verdict="objective",
        unit="",
        samples=600,
        machine="test",
        version="parcels:v1",
        artefact="",
        method="measured in a test",
        at=dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc),
    )
