import pytest

from bluegold.design.document import compose

DEVELOPMENT = [
    "Data Quality Checks", "Data Transforms", "Data Summary", "Model Building", "Model Tuning", "Model Verification",
    "Code Commit", "CI/CD Dev Ops",
]  # fmt: skip
PRODUCTION = [
    "Data Cleansing", "Data Transformation", "Model Execution", "Results Store", "Pipeline Operations",
    "Dev Ops / CD CI",
]  # fmt: skip
CHECKS = {
    "assets", "deterministic_scripts", "quality_criteria", "stage_coverage", "store_selection", "registry_capabilities",
    "cicd_gates", "requirements_mapping",
}  # fmt: skip


@pytest.fixture(scope="module")
def packet(system, workspace):
    return compose(system, workspace).packet


def test_it_follows_the_public_contract(packet):
    assert list(packet) == [
        "schema", "system", "evidence", "pipeline_stages", "data_stores", "model_registry", "cicd", "requirements",
        "validation", "risks",
    ]  # fmt: skip
    assert packet["schema"] == "jm-labs.ai-pipeline-architecture.report.v1"
    assert packet["system"] == {
        "name": "parcels", "domain": "logistics", "mode": "audit", "risk_level": "medium", "regulated": False,
    }  # fmt: skip
    assert {item["tag"] for item in packet["evidence"]} <= {"[EXPLICIT]", "[INFERRED]", "[OPEN]"}
    assert len({item["id"] for item in packet["evidence"]}) == len(packet["evidence"])


def test_stages_have_the_methods_names_in_order(packet):
    for side, names in (("development", DEVELOPMENT), ("production", PRODUCTION)):
        assert [stage["stage"] for stage in packet["pipeline_stages"] if stage["pipeline"] == side] == names


def test_words_come_from_the_contracts_vocabulary(packet):
    for store in packet["data_stores"]:
        assert store["store_type"] in {"relational", "object", "key_value", "graph", "vector"}
        assert store["consistency_model"] in {"strong", "eventual", "configurable", "n/a"}
        assert store["latency_class"] in {"batch", "interactive", "realtime"}
    assert "vector" not in {store["store_type"] for store in packet["data_stores"]}
    assert packet["model_registry"]["versioning_strategy"] in {"semantic", "timestamp", "hash"}
    assert packet["cicd"]["strategy"] in {"Blue-Gold", "Canary", "Shadow", "Manual-Gated", "Hybrid"}
    assert len(packet["cicd"]["gates"]) == 6
    assert packet["validation"]["status"] in {"pass", "warn", "block"}
    assert {check["name"] for check in packet["validation"]["checks"]} == CHECKS
    assert {row["category"] for row in packet["requirements"]} == {"AP", "NF", "SEC", "CP"}
    assert len(packet["requirements"]) == 35


def test_every_entry_cites_evidence_that_exists(packet):
    known = {item["id"] for item in packet["evidence"]}

    def walk(value):
        if isinstance(value, dict):
            if "evidence_ids" in value:
                assert value["evidence_ids"]
                assert set(value["evidence_ids"]) <= known
            for part in value.values():
                walk(part)
        elif isinstance(value, list):
            assert value
            for part in value:
                walk(part)

    walk(packet)
