"""Laws that every development stage keeps; a new one is tested by existing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import bluegold.development
from bluegold.development.pipeline import STAGES
from bluegold.development.stage import Stage

HOME = Path(str(bluegold.development.__file__)).parent


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.contract.name)
class TestEveryStage:
    def test_has_ports_a_gate_and_a_purpose(self, stage: Stage) -> None:
        contract = stage.contract
        assert contract.section == "S1"
        assert contract.inputs
        assert contract.outputs
        assert contract.gate
        assert contract.purpose.endswith(".")
        assert contract.timeout_s > 0

    def test_lives_in_the_file_of_its_name(self, stage: Stage) -> None:
        assert stage.source == HOME / f"{stage.contract.name}.py"

    def test_takes_only_the_ports_it_declares_and_makes_all_it_declares(self, stage: Stage) -> None:
        tree = ast.parse(stage.source.read_text(encoding="utf-8"))
        taken = {
            node.args[0].value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "take"
            and isinstance(node.args[0], ast.Constant)
        }
        assert taken <= {port.name for port in stage.contract.inputs}

    def test_is_fed_by_what_comes_before(self, stage: Stage) -> None:
        place = STAGES.index(stage)
        made = {port.name: port.kind for before in STAGES[:place] for port in before.contract.outputs}
        given = {"rows": "table", "tables": "table", "notes": "json", "production": "table"}
        for port in stage.contract.inputs:
            assert port.kind == (made | given)[port.name], port.name


def test_no_port_is_made_twice() -> None:
    made = [port.name for stage in STAGES for port in stage.contract.outputs]
    assert len(made) == len(set(made))


def test_stages_do_not_import_each_other() -> None:
    names = {stage.contract.name.replace("/", ".") for stage in STAGES}
    shared = {"verification.holdout"}  # its measures are used by other checks
    for stage in STAGES:
        text = stage.source.read_text(encoding="utf-8")
        for other in names - {stage.contract.name.replace("/", ".")} - shared:
            assert f"bluegold.development.{other} import" not in text, f"{stage.contract.name} imports {other}"
