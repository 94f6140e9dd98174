"""A design of an existing code base, held against it again later, and its assessment."""

import runpy
from pathlib import Path

import msgspec
import pytest

from bluegold.core.errors import DataError
from bluegold.core.plan import Plan
from bluegold.design.assessment import assess
from bluegold.design.blocks import Diagram, Table, texts
from bluegold.design.document import compose, document, examine
from bluegold.design.drift import changes, read_packet, state
from bluegold.design.scan import scan

BASES = runpy.run_path(str(Path(__file__).parent / "repositories.py"))
BIKES, ORDERLY, grow = BASES["BIKES"], BASES["ORDERLY"], BASES["grow"]


@pytest.fixture(scope="module")
def bikes(tmp_path_factory):
    return grow(BIKES, tmp_path_factory.mktemp("bikes"))


@pytest.fixture(scope="module")
def design(bikes):
    return compose(Plan(system="bikes"), None, examine(bikes))


@pytest.fixture(scope="module")
def written(bikes, tmp_path_factory):
    return document(Plan(system="bikes"), None, tmp_path_factory.mktemp("out"), repo=bikes)


def section(design, anchor):
    return next(one for one in design.document.sections if one.anchor == anchor)


def said(design, anchor):
    return "\n".join(text for block in section(design, anchor).blocks for text in texts(block))


def test_the_system_as_it_is_is_drawn_and_cited(design):
    drawn = next(block for block in section(design, "as-is").blocks if isinstance(block, Diagram))
    assert "no registry" in drawn.source
    assert "model" in drawn.source
    text = said(design, "as-is")
    for place in ("training/train.py:21", "serving/app.py:18", "serving/app.py:6"):
        assert f"`{place}`" in text
    assert "Vq8rTzLm2" not in str(design.packet)
    assert "Vq8rTzLm2" not in str(design.document)


def test_every_risk_found_is_ended_by_a_phase(design):
    plan = next(block for block in section(design, "phases").blocks if isinstance(block, Table))
    ended = "\n".join(row[3] for row in plan.rows)
    for risk in design.brief.facts.as_is.risks:
        assert risk.row.title in ended
    assert "training/train.py" in "\n".join(row[2] for row in plan.rows)


def test_a_greenfield_starts_with_phase_0(tmp_path):
    found = compose(Plan(system="new"), None, examine(grow({"app.js": "let a = 1", "README.md": "mlflow"}, tmp_path)))
    assert "phase 0 comes first" in said(found, "phases")
    assert "no machine-learning system here yet" in said(found, "as-is")
    assert found.packet["system"]["mode"] == "greenfield"


def test_a_system_with_a_definition_is_no_greenfield(system, tmp_path):
    found = compose(system, None, examine(grow(system.source_text, tmp_path)))
    assert "defined in its pipeline.py" in said(found, "as-is")
    assert found.packet["system"]["mode"] == "modernization"


def test_all_eleven_items_hold_and_every_decision_is_tagged(design):
    assert all(check.ok for check in design.checks)
    for anchor in ("s1", "s2", "s3", "s4", "s5"):
        table = next(b for b in section(design, anchor).blocks if isinstance(b, Table) and b.caption == "Decisions")
        for row in table.rows:
            assert "{{explicit}}" in row[1] or "{{inferred}}" in row[1]
            assert row[4]


PACKET = {
    "system": {"name", "domain", "mode", "risk_level", "regulated"},
    "evidence": {"id", "tag", "source", "summary"},
    "pipeline_stages": {"pipeline", "stage", "purpose", "inputs", "outputs", "gates", "evidence_ids"},
    "data_stores": {"store_type", "purpose", "consistency_model", "latency_class", "evidence_ids"},
    "model_registry": {"tool_decision", "versioning_strategy", "capabilities", "promotion_stages", "evidence_ids"},
    "cicd": {"strategy", "gates", "rollback_strategy", "evidence_ids"},
    "requirements": {"id", "category", "description", "threshold", "objective", "mapped_component", "evidence_ids"},
}


def test_the_packet_has_the_contracts_keys_and_no_empty_list(design):
    for name, keys in PACKET.items():
        entries = design.packet[name]
        for entry in entries if isinstance(entries, list) else [entries]:
            assert set(entry) == keys, name
            for key, value in entry.items():
                assert value not in ("", [], None), (name, key)
    assert len(design.packet["risks"]) >= 10
    assert all(risk["evidence_ids"] for risk in design.packet["risks"])


def test_a_fresh_document_has_not_drifted(written, bikes):
    before = state(read_packet(written[0]))
    assert before.parts[("activity", "train")].startswith("training/train.py:")
    assert changes(before, state(compose(Plan(system="bikes"), None, examine(bikes)).packet)) == ()


def test_drift_names_what_changed_and_a_moved_line_is_none(written, tmp_path):
    files = BIKES | {
        "training/train.py": "# moved\n\n" + BIKES["training/train.py"].replace("clean(pd", "(pd"),
        "serving/graph.py": "import neo4j\ndriver = neo4j.GraphDatabase.driver('bolt://graph')\n",
        "requirements.txt": "pandas==2.2.0\n",
    }
    del files["dags/retrain.py"]
    files["Dockerfile"] = "FROM python:3.11\n"
    today = compose(Plan(system="bikes"), None, examine(grow(files, tmp_path)))
    found = "\n".join(changes(state(read_packet(written[0].parent)), state(today.packet)))
    for told in (
        "new store: neo4j", "new technology: neo4j", "activity gone: orchestrate", "technology gone: airflow",
        "risk gone: unpinned-environment", "decision orchestration: Airflow -> the built-in runner",
    ):  # fmt: skip
        assert told in found
    assert "scikit-learn" not in found
    assert "activity gone: train" not in found


def test_a_design_without_a_code_base_cannot_drift(written, system):
    alone = state(compose(system, None).packet)
    with pytest.raises(DataError, match="without reading a code base"):
        changes(alone, state(read_packet(written[0])))


@pytest.mark.parametrize("text", ["{", "[]", '{"system": {}}'])
def test_what_is_no_packet_is_refused(tmp_path, text):
    (tmp_path / "architecture.json").write_text(text)
    with pytest.raises(DataError, match=r"architecture\.json"):
        read_packet(tmp_path)


def test_facts_of_the_command_line_are_remembered_for_the_check(bikes):
    found = compose(Plan(system="bikes"), None, examine(bikes, {"latency_ms": 50, "regulated": True}))
    assert state(found.packet).given == {"latency_ms": 50, "regulated": True}


def test_an_assessment_scores_with_evidence_or_what_is_missing(bikes, tmp_path):
    found = assess(bikes, scan(bikes))
    rows = {row.capability: row for row in found.rows}
    assert set(found.sections) == {"S1", "S2", "S3", "S4", "S5", "S6"}
    assert rows["training code"].evidence == ("training/train.py:21",)
    assert rows["registered versions"].status == "missing"
    assert rows["safe loading of artefacts"].evidence == ("serving/app.py:6",)
    for row in found.rows:
        assert row.evidence or row.missing, row.capability
        assert (row.status == "present") is (not row.missing), row.capability
    other = grow(ORDERLY, tmp_path)
    better = assess(other, scan(other))
    assert better.points > found.points * 1.4
    shared = next(row for row in better.rows if row.capability == "one feature code for both sides")
    assert shared.evidence == ("shop/features.py:1",)


def test_who_trains_nothing_misses_no_seed(tmp_path):
    asks = "from transformers import pipeline\nscore = pipeline('text-classification')\nprint(score('fine'))\n"
    trains = "from sklearn.svm import SVC\nSVC().fit([[0], [1]], [0, 1])\n"
    of_training = {"fixed seeds", "orchestrated training", "hyper-parameter search or cross-validation"}
    without = assess(grow({"ask.py": asks}, tmp_path), scan(tmp_path))
    assert not of_training & {row.capability for row in without.rows}
    both = assess(grow({"train.py": trains}, tmp_path), scan(tmp_path))
    assert of_training <= {row.capability for row in both.rows}
    assert both.total > without.total


def test_a_declared_tool_counts_half(tmp_path):
    found = assess(grow({"requirements.txt": "mlflow==2.9\n", "a.py": "print(1)\n"}, tmp_path), scan(tmp_path))
    row = next(row for row in found.rows if row.capability == "experiment tracking")
    assert (row.status, row.technologies, row.evidence) == ("partial", ("mlflow",), ("requirements.txt:1",))


def test_two_runs_give_the_same_bytes(written, bikes, tmp_path):
    again = document(Plan(system="bikes"), None, tmp_path, repo=bikes)
    for one, other in zip(written, again, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
    assert msgspec.json.decode((tmp_path / "architecture.json").read_bytes())["system"]["mode"] == "modernization"
