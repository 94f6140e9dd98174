"""Decisions by rule: each edge case of the method changes what is decided, and nothing else does."""

import runpy
from pathlib import Path

import pytest

from bluegold.core.errors import DefinitionError, UsageError
from bluegold.core.nouns import Finding
from bluegold.core.plan import Plan, Workload
from bluegold.design.contradictions import refuse_contradictions
from bluegold.design.decide import decide, missing, questions
from bluegold.design.facts import gather
from bluegold.design.scan import scan
from bluegold.design.stated import parse_facts
from bluegold.design.understand import understand

BASES = runpy.run_path(str(Path(__file__).parent / "repositories.py"))
BIKES, ORDERLY, grow = BASES["BIKES"], BASES["ORDERLY"], BASES["grow"]

NOTEBOOK = '{"cells":[{"cell_type":"code","source":"from sklearn.svm import SVC\\nSVC().fit(x, y)"}],"metadata":{}}'


def choices(plan, folder=None, findings=(), given=None):
    found = scan(folder) if folder else findings
    as_is = understand(folder, found) if folder else None
    decided = decide(gather(plan, None, found, as_is=as_is, given=given or {}))
    return {item.id: item for item in decided}


def used(technology, kind="tracking"):
    return Finding(
        kind=kind, technology=technology, section="S1", usage="used", path="a.py", line=3, evidence="import",
        confidence=0.9, detector="x",
    )  # fmt: skip


def plan(**workload):
    return Plan(system="x", workload=Workload(**workload))


@pytest.mark.parametrize(
    ("workload", "topology"),
    [
        ({}, "batch"),
        ({"latency_ms": 50}, "hybrid"),
        ({"latency_ms": 3_600_000}, "batch"),
    ],
)
def test_the_topology_follows_the_latency_need(workload, topology):
    assert choices(plan(**workload))["topology"].option == topology


def test_a_stream_without_a_latency_need_stays_batch_and_with_one_streams():
    kafka = (used("kafka", "streaming"),)
    assert choices(plan(), findings=kafka)["topology"].option == "batch"
    decided = choices(plan(latency_ms=200), findings=kafka)["topology"]
    assert decided.option == "streaming"
    assert "200 ms" in decided.decision.because


def test_greenfield_gets_the_simplest_orchestrator_and_a_cold_start():
    decided = choices(plan(teams=4))
    assert decided["orchestration"].option == "the built-in runner"
    assert "nothing exists yet" in decided["orchestration"].decision.because
    assert decided["rollout"].option.startswith("replay and shadow first")


def test_notebooks_become_stages(tmp_path):
    decided = choices(plan(), grow({"a.ipynb": NOTEBOOK}, tmp_path))
    assert decided["orchestration"].option == "notebooks as stages, through Papermill"
    assert decided["orchestration"].how == "rule"
    assert decided["orchestration"].rests_on[-1].place.startswith("a.ipynb:")


def test_several_teams_meet_in_a_feature_store_on_a_shared_database(tmp_path):
    files = ORDERLY | {"CODEOWNERS": "shop/features.py @data\nshop/serve.py @platform @data # both\n"}
    decided = choices(plan(models=3), grow(files, tmp_path))
    assert (decided["feature_store"].option, decided["relational"].option) == ("Feast", "PostgreSQL")
    assert "3 models of 2 teams" in decided["feature_store"].decision.because
    alone = choices(plan(models=3))
    assert (alone["feature_store"].option, alone["relational"].option) == ("one definition, two compilations", "SQLite")


def test_many_teams_get_a_registry_each():
    assert choices(plan(teams=6))["registry_shape"].option.startswith("a registry for each team")
    assert choices(plan(teams=5))["registry_shape"].option == "a single registry"


def test_a_hybrid_serves_online_features_from_what_it_learns_from(tmp_path):
    decided = choices(plan(), grow(ORDERLY, tmp_path))
    assert (decided["topology"].option, decided["key_value"].option) == ("hybrid", "LMDB")
    assert decided["topology"].place == "shop/serve.py:12"


def test_regulation_overrules_tools_in_use_and_says_why(tmp_path):
    folder = grow(ORDERLY, tmp_path)
    free = choices(plan(), folder)
    assert (free["registry_tool"].option, free["serving"].option) == ("MLflow model registry", "FastAPI")
    held = choices(plan(), folder, given={"regulated": True})
    assert held["registry_tool"].option == "own tables, one registry"
    assert "MLflow is in use, but" in held["registry_tool"].decision.because
    assert held["serving"].option.startswith("governed workers")
    assert held["approval"].option == "human"


def test_a_system_that_answers_already_is_no_cold_start(tmp_path):
    assert choices(plan(), grow(BIKES, tmp_path))["rollout"].option == "by evidence, in rising shares"


def test_a_tracker_is_no_registry(tmp_path):
    decided = choices(plan(), grow(BIKES, tmp_path))
    assert decided["tracking"].option == "MLflow"
    assert decided["registry_tool"].option == "own tables, one registry"


def test_models_that_read_each_other_are_released_together():
    assert choices(plan(chained=True))["coordination"].option == "joint releases"


def test_stated_goes_before_detected_and_detected_before_rules():
    airflow = (used("airflow", "orchestrator"),)
    stated = Plan(system="x", decisions={"orchestration": "Prefect"}, workload=Workload(teams=4))
    assert choices(stated, findings=airflow)["orchestration"].how == "explicit"
    assert choices(plan(teams=4), findings=airflow)["orchestration"].option == "Airflow"
    assert choices(plan(teams=4), findings=(used("scikit-learn", "framework"),))["orchestration"].option == "Dagster"


def test_each_option_says_what_would_change_it():
    for question in questions():
        assert question.default in {option.name for option in question.option}
        for option in question.option:
            assert all((option.because, option.enables, option.constrains, option.changes)), option.name


def test_only_facts_that_could_change_a_decision_are_asked_for(tmp_path):
    facts = gather(plan(latency_ms=50, teams=1), None, ())
    assert "latency_ms" not in missing(facts)
    assert "data_gb" in missing(facts)


@pytest.mark.parametrize(
    ("text", "stated", "said"),
    [
        (
            "topology: batch\nworkload:\n  latency_ms: 50",
            Plan(system="x", topology="batch", workload=Workload(latency_ms=50)),
            "architecture.yaml:1 says batch, but architecture.yaml:3 needs an answer within 50 ms",
        ),
        (
            "topology: streaming\nlatency_need: within 10 minutes",
            Plan(system="x", topology="streaming", latency_need="within 10 minutes"),
            "architecture.yaml:1 says streaming, but architecture.yaml:2",
        ),
        (
            "topology: streaming\nlatency_need: por la noche",
            Plan(system="x", topology="streaming", latency_need="por la noche"),
            "architecture.yaml:2 lets an answer take 8 hours",
        ),
        (
            "topology: streaming\nworkload: {freshness_s: 172800}",
            Plan(system="x", topology="streaming", workload=Workload(freshness_s=172_800)),
            "architecture.yaml:2 lets an answer be 2 days old",
        ),
        (
            "latency_need: 20 ms\nworkload: {latency_ms: 50}",
            Plan(system="x", latency_need="20 ms", workload=Workload(latency_ms=50)),
            "architecture.yaml:2 says 50 ms, but architecture.yaml:1 says 20 ms",
        ),
        (
            "regulated: true\ndecisions: {approval: automatic}",
            Plan(system="x", regulated=True, decisions={"approval": "automatic"}),
            "architecture.yaml:2 promotes automatically",
        ),
    ],
)
def test_contradictions_are_one_sentence_with_both_places(text, stated, said):
    with pytest.raises(DefinitionError, match=said) as caught:
        refuse_contradictions(gather(stated, None, (), plan_text=text))
    assert caught.value.way_out


@pytest.mark.parametrize(
    ("decisions", "said"), [({"topolgy": "batch"}, "no decision 'topolgy'"), ({"topology": "lambda"}, "'lambda'")]
)
def test_an_answer_that_does_not_exist_is_refused_with_those_that_do(decisions, said):
    with pytest.raises(DefinitionError, match=said):
        choices(Plan(system="x", decisions=decisions))


@pytest.mark.parametrize("word", ["latency=5", "latency_ms"])
def test_a_fact_that_does_not_exist_is_refused(word):
    with pytest.raises(UsageError, match="is no fact"):
        parse_facts((word,))
    with pytest.raises(UsageError, match="cannot have"):
        choices(Plan(system="x"), given={"latency_ms": -1})
