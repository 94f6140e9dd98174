import pytest

from bluegold.core.errors import DefinitionError, UsageError
from bluegold.core.plan import Override, Plan
from bluegold.requirements.catalog import CATEGORIES, catalog, category, judge, requirement


def test_every_row_is_unique_complete_and_ordered_by_category():
    rows = catalog()
    counts = {name: sum(category(row.id) == name for row in rows) for name in CATEGORIES}
    assert counts == {"AP": 13, "NF": 9, "SEC": 6, "CP": 7}
    assert len({row.id for row in rows}) == 35
    for row in rows:
        assert row.method.endswith(".")
        assert row.component
        assert row.gate
        if row.direction == "holds":
            assert row.threshold is None
            assert row.objective is None
        else:
            assert judge(row, row.threshold) == "threshold"
            assert judge(row, row.objective) == "objective"


@pytest.mark.parametrize(("identifier", "worse"), [("AP-1", 30.1), ("AP-6", 9_999.0), ("AP-13", 10.5), ("NF-1", 99.8)])
def test_a_value_beyond_its_threshold_is_missed(identifier, worse):
    assert judge(requirement(identifier), worse) == "missed"


def test_nothing_measured_is_never_met():
    for row in catalog():
        assert judge(row, None) == "needs instrumentation"
        assert judge(row, float("nan")) == "needs instrumentation"


def test_a_holds_requirement_is_met_only_by_true():
    row = requirement("CP-5")
    assert judge(row, True) == "objective"
    assert judge(row, False) == "missed"
    assert judge(row, 1.0) == "missed"


def test_an_override_replaces_the_limit_and_keeps_its_reason():
    plan = Plan(system="s", requirements={"AP-7": Override(reason="lives depend on it", threshold=0.97)})
    row = requirement("AP-7", plan)
    assert (row.threshold, row.objective, row.reason) == (0.97, 0.97, "lives depend on it")
    assert requirement("AP-7").threshold == 0.88


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        ({"AP-99": Override(reason="r", threshold=1.0)}, "AP-99"),
        ({"CP-5": Override(reason="r", threshold=1.0)}, "CP-5"),
        ({"AP-7": Override(reason="r", threshold=0.9, objective=0.8)}, "weaker"),
    ],
)
def test_an_override_that_means_nothing_is_refused(overrides, named):
    with pytest.raises(DefinitionError, match=named):
        catalog(Plan(system="s", requirements=overrides))


def test_an_unknown_id_is_a_usage_error():
    with pytest.raises(UsageError, match="XX-1"):
        requirement("XX-1")
