"""A system with personal data: what its probes find when it is kept, and when it leaks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegold.core.errors import AccessDenied
from bluegold.core.workspace import Workspace
from bluegold.development import develop
from bluegold.export.chain import shown
from bluegold.features.loader import load_system
from bluegold.probes import (
    data_access_controls,
    encrypted_at_rest,
    encrypted_in_use,
    extraction_monitoring,
    personal_data_access,
    transactions_archived,
)
from bluegold.probes.bench import Bench, raw
from bluegold.probes.instruments.client import Client
from bluegold.probes.instruments.personal import made_up
from bluegold.production.results.decision_reader import DecisionReader
from bluegold.registry import Registry
from bluegold.security.identities import Identities, make_key
from bluegold.security.signing import Signer

PIPELINE = """
import datetime as dt
import random

import bluegold as bg
import polars as pl


class Payment(bg.Contract):
    "One payment when it is asked for."

    transactions = True

    account: str = bg.text(max_length=34, financial_id=True)
    holder: str = bg.text(max_length=80, personal=True)
    amount: float = bg.number(ge=0, le=10_000, unit="EUR", outside="clip")
    distance: float = bg.number(ge=0, le=20_000, unit="km", outside="clip")
    asked_at: dt.datetime = bg.time()


system = bg.System(
    "payments",
    contract=Payment,
    target=pl.col("disputed") > 0,
    time="asked_at",
    split=bg.by_share(validate=0.2, holdout=0.25, seed=7),
)
system.use("amount", "distance")
system.history("spent_6h", pl.col("amount").sum(), by="account", window="6h")
system.model("logistic")


@system.source
def load() -> bg.Data:
    chance, rows = random.Random(7), []
    for number in range(1500):
        who = chance.randrange(40)
        amount, distance = chance.lognormvariate(4, 1), chance.expovariate(1 / 300)
        rows.append(
            {
                "account": f"ES{76_000_000_000 + who * 7919:022d}",
                "holder": f"Person Number {who}",
                "amount": amount,
                "distance": distance,
                "asked_at": dt.datetime(2026, 1, 1) + dt.timedelta(minutes=7 * number),
                "disputed": int(amount / 300 + distance / 900 + chance.gauss(0, 0.3) > 1.2),
            }
        )
    return bg.Data(rows=pl.DataFrame(rows))
"""


@pytest.fixture(scope="module")
def payments(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder, root = tmp_path_factory.mktemp("payments"), tmp_path_factory.mktemp("kept") / "w"
    (folder / "pipeline.py").write_text(PIPELINE, encoding="utf-8")
    (folder / "architecture.yaml").write_text("system: payments\nrollout: {sticky_by: account}\n", encoding="utf-8")
    space = Workspace.create(root)
    with Registry.open(space, actor="ada") as registry:
        ref = develop(load_system(folder), space, registry, author="ada", folder=folder).ref
        for step in ("Staging", "Canary"):
            registry.lifecycle.transition(ref, step, "olga", "test")
        registry.promote(ref, "olga", "test")
    return folder, root


@pytest.fixture
def bench(payments: tuple[Path, Path], tmp_path: Path) -> Iterator[Bench]:
    folder, root = payments
    shutil.copytree(root, tmp_path / "w")
    (tmp_path / "w").chmod(0o700)
    space = Workspace.open(tmp_path / "w")
    with Registry.open(space, actor="olga") as registry, Bench(space, registry, load_system(folder)) as made:
        yield made


def test_personal_data_is_kept(bench: Bench) -> None:
    """One served copy, looked at by every probe of it; then a leak that CP-3 has to find."""
    at_rest = encrypted_at_rest.measure(bench)
    assert at_rest.value is True, at_rest.method
    access = personal_data_access.measure(bench)
    assert access.value is True, access.method
    archived = transactions_archived.measure(bench)
    assert archived.value is True, archived.method
    watched = extraction_monitoring.measure(bench)
    assert watched.value is True, watched.method
    in_use = encrypted_in_use.measure(bench)
    assert "may dump its memory" not in in_use.method
    assert "logged in" not in in_use.method
    _traced(bench)
    leak = bench.once(raw).rows["account"][0]
    (bench.workspace.root / "notes.txt").write_text(f"call {leak} back", encoding="utf-8")
    leaked = encrypted_at_rest.measure(bench)
    assert leaked.value is False
    assert "notes.txt" in leaked.method


def _traced(bench: Bench) -> None:
    """``trace --personal`` shows values to a role that may, and records who looked."""
    scratch = bench.scratch()
    [sent] = made_up(bench)
    with Client(scratch.endpoint) as client:
        status, answer = client.post("/v1/predict", sent.body)
    assert status == 200
    record: Any = DecisionReader(scratch.workspace.decisions).get(answer["id"])
    assert not any(value in str((record.entity, record.payload)) for value in sent.values.values())
    assert set(record.sealed) == {"account", "holder"}
    (scratch.workspace.root / "access.json").write_text('{"cora": ["compliance officer"], "dev": ["developer"]}')
    for who, may in (("cora", True), ("dev", False)):
        with Registry.open(scratch.workspace, actor=who) as registry:
            assert shown(registry, scratch.workspace, record, personal=False).payload == record.payload
            if not may:
                with pytest.raises(AccessDenied):
                    shown(registry, scratch.workspace, record, personal=True)
                continue
            seen = shown(registry, scratch.workspace, record, personal=True)
            assert {name: seen.payload[name] for name in sent.values} == sent.values
            [event] = registry.audit.latest("see personal data").values()
            assert (event.who, event.subject) == ("cora", record.id)


def test_access_controls_are_attacked_once_there_are_users(bench: Bench) -> None:
    without = data_access_controls.measure(bench)
    assert without.value is False
    assert "has no users" in without.method
    user, _ = make_key("olga", ("security officer",))
    Identities.open(bench.workspace).write(0, (user,), Signer.open(bench.workspace.keys))
    held = data_access_controls.measure(bench)
    assert held.value is True, held.method
    bench.workspace.root.chmod(0o755)
    exposed = data_access_controls.exposed(bench.workspace)
    assert any("decisions" in one for one in exposed)
