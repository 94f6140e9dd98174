import pytest

from bluegold.core.nouns import Finding
from bluegold.core.plan import Governance, Plan
from bluegold.design.decide import decide
from bluegold.design.facts import gather


def finding(technology, usage="used"):
    return Finding(
        kind="tracking",
        technology=technology,
        section="S1",
        usage=usage,
        path="train.py",
        line=3,
        evidence="import",
        confidence=0.9,
        detector="x",
    )


def decided(plan, *findings):
    return {item.id: item for item in decide(gather(plan, None, findings))}


def test_what_was_stated_is_never_overwritten(system):
    found = {item.id: item for item in decide(gather(system, None, (finding("airflow"),)))}
    assert found["topology"].decision.source == "explicit"
    assert found["topology"].decision.choice == "hybrid"
    assert found["topology"].decision.because.startswith("single parcels at the gate")
    assert found["topology"].place.startswith("architecture.yaml:")


def test_a_tool_in_use_is_detected_with_its_place():
    found = decided(Plan(system="x"), finding("mlflow"), finding("airflow"))
    assert (found["tracking"].decision.choice, found["tracking"].decision.source) == ("MLflow", "detected")
    assert found["tracking"].place == "train.py:3"
    assert found["orchestration"].decision.choice == "Airflow"


@pytest.mark.parametrize("usage", ["declared", "mentioned"])
def test_a_tool_that_is_only_declared_or_mentioned_decides_nothing(usage):
    assert decided(Plan(system="x"), finding("mlflow", usage))["tracking"].decision.source == "default"


def test_no_streaming_without_a_latency_need():
    assert decided(Plan(system="x"))["topology"].decision.choice == "batch"
    assert decided(Plan(system="x", latency_need="a person waits"))["topology"].decision.choice == "hybrid"


def test_a_regulated_system_defaults_to_people():
    plan = Plan(system="x", regulated=True, governance=Governance(approval="human", approvals=2))
    assert decided(plan)["approval"].decision.choice == "human"


def test_every_decision_weighs_options():
    for item in decide(gather(Plan(system="x"), None, ())):
        made = item.decision
        assert len(made.options) >= 2
        assert made.because
        assert made.enables
        assert made.constrains
