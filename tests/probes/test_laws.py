"""Laws over all probes: what every member of the table keeps, whatever it measures."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from bluegold.core.workspace import Workspace
from bluegold.features.system import System
from bluegold.probes import table
from bluegold.probes.bench import Bench
from bluegold.probes.places import place
from bluegold.probes.table import PROBES, prove
from bluegold.registry import Registry
from bluegold.requirements.catalog import catalog, judge
from bluegold.requirements.ledger import Ledger

from .conftest import Measured

FOLDER = Path(table.__file__).parent
IDS = [row.id for row in catalog()]
INAPPLICABLE = {"CP-1", "CP-2", "CP-3", "CP-4"}  # the starter marks nothing as personal or as a transaction
UNKNOWN_HERE = {"SEC-6": "too few hold-out records"}
BOUND = 210_000  # rows, records and requests behind one measurement, at most


def test_every_requirement_has_a_probe() -> None:
    assert set(PROBES) == set(IDS)


@pytest.mark.parametrize("identifier", PROBES)
def test_a_probe_is_a_file_of_its_own(identifier: str) -> None:
    probe = PROBES[identifier]
    assert identifier == probe.REQUIREMENT
    assert probe.__doc__.startswith(f"{identifier}: ")
    tree = ast.parse(Path(probe.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    others = {module.__name__ for module in PROBES.values()} - {probe.__name__}
    assert not imported & others, "probes do not know each other; what they share is an instrument"


def test_every_file_with_a_requirement_is_in_the_table() -> None:
    files = {path.stem for path in FOLDER.glob("*.py") if "\nREQUIREMENT = " in path.read_text(encoding="utf-8")}
    assert files == {module.__name__.rpartition(".")[2] for module in PROBES.values()}


@pytest.mark.parametrize("identifier", IDS)
def test_the_place_of_a_probe(identifier: str) -> None:
    probe = PROBES[identifier]
    assert place(identifier) == f"{probe.__file__}:{probe.measure.__code__.co_firstlineno}"


@pytest.mark.parametrize("identifier", IDS)
def test_evidence(identifier: str, measured: Measured, system: System) -> None:
    evidence = measured.evidence[identifier]
    [row] = [row for row in catalog(system.plan) if row.id == identifier]
    assert evidence.unit == row.unit
    assert evidence.verdict == judge(row, evidence)
    assert evidence.version == "starter:v1"
    assert evidence.machine
    if identifier in INAPPLICABLE:
        assert (evidence.value, evidence.verdict, evidence.samples) == (None, "not applicable", 0)
        assert evidence.method.startswith("not applicable because ")
        return
    if identifier in UNKNOWN_HERE:
        assert evidence.value is None
        assert UNKNOWN_HERE[identifier] in evidence.method
        return
    assert evidence.value is not None, evidence.method
    assert isinstance(evidence.value, bool) == (row.direction == "holds")
    assert 0 < evidence.samples <= BOUND
    assert evidence.method
    assert evidence.artefact


def test_every_requirement_is_announced_once(measured: Measured) -> None:
    assert sorted(measured.announced) == sorted(IDS)
    assert list(measured.evidence) == IDS


def test_measuring_changes_nothing_but_the_ledger(measured: Measured) -> None:
    assert measured.after == measured.before


def test_an_override_decides_the_verdict(measured: Measured) -> None:
    assert measured.evidence["AP-7"].verdict == "missed"
    assert 0.8 < float(measured.evidence["AP-7"].value or 0) < 0.999


def test_nothing_in_production(developed: Path, system: System, tmp_path: Path) -> None:
    """What needs a served version says so; what does not is measured all the same."""
    space = _copied(developed, tmp_path)
    with Registry.open(space, actor="olga") as registry:
        found = {one.requirement: one for one in prove(Bench(space, registry, system))}
    measured = {identifier for identifier, one in found.items() if one.value is not None}
    assert measured == {"AP-1", "CP-6", "CP-7"}
    assert {entry.evidence.requirement for entry in Ledger(space.evidence).entries()} == measured
    for identifier in set(PROBES) - measured:
        assert "no version of 'starter' is in production" in found[identifier].method


def test_no_definition(produced: Path, tmp_path: Path) -> None:
    space = _copied(produced, tmp_path)
    asked = ("AP-1", "AP-2", "AP-7", "AP-11", "CP-6")
    with Registry.open(space, actor="olga") as registry:
        found = {one.requirement: one for one in prove(Bench(space, registry), asked)}
    for identifier in ("AP-1", "AP-2", "AP-11"):
        assert found[identifier].verdict == "needs instrumentation"
        assert "--system" in found[identifier].method
    assert found["CP-6"].value is True
    assert found["AP-7"].verdict == "missed", "the limits are those of the plan the version was registered with"


def test_an_empty_registry(tmp_path: Path) -> None:
    space = Workspace.create(tmp_path / "w")
    with Registry.open(space, actor="olga") as registry:
        found = prove(Bench(space, registry))
    assert {one.verdict for one in found} == {"needs instrumentation"}
    assert {one.version for one in found} == {""}
    assert not space.evidence.exists()


def _copied(root: Path, target: Path) -> Workspace:
    shutil.copytree(root, target / "w")
    return Workspace.open(target / "w")
