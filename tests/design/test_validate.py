import copy

import msgspec
import pytest

from bluegold.design.citations import Citations
from bluegold.design.document import compose
from bluegold.design.packet import packet
from bluegold.design.validate import Written, validate


@pytest.fixture(scope="module")
def design(system, workspace):
    return compose(system, workspace)


def written(design, given=None, document=None, cites=None):
    return Written(
        document=document or design.document,
        packet=given or packet(design.brief),
        cites=cites or design.brief.cites,
    )


def test_all_eleven_items_hold_with_evidence(design):
    checks = validate(written(design))
    assert [check.number for check in checks] == list(range(1, 12))
    assert all(check.ok for check in checks), [check for check in checks if not check.ok]
    assert all(check.evidence for check in checks)


def broken(design, change):
    given = copy.deepcopy(packet(design.brief))
    change(given)
    return {check.number for check in validate(written(design, given)) if not check.ok}


def test_a_stage_without_a_gate_is_found(design):
    assert 2 in broken(design, lambda given: given["pipeline_stages"][3].update(gates=[""]))


def test_a_missing_stage_is_found(design):
    assert 2 in broken(design, lambda given: given["pipeline_stages"].pop())


def test_a_store_without_a_purpose_is_found(design):
    assert 3 in broken(design, lambda given: given["data_stores"][0].update(purpose=""))


def test_a_registry_without_rollback_is_found(design):
    assert 4 in broken(design, lambda given: given["model_registry"]["capabilities"].remove("rollback"))


def test_a_missing_gate_is_found(design):
    assert 6 in broken(design, lambda given: given["cicd"]["gates"].remove("security"))


def test_a_missing_category_is_found(design):
    keep = lambda given: [row for row in given["requirements"] if row["category"] != "SEC"]  # noqa: E731
    assert 7 in broken(design, lambda given: given.update(requirements=keep(given)))


def test_an_entry_without_evidence_is_found(design):
    assert 11 in broken(design, lambda given: given["requirements"][5].update(evidence_ids=[]))


@pytest.mark.parametrize(("anchor", "item"), [("s3", 3), ("s4", 4), ("s5", 5), ("answers", 8), ("s2", 9)])
def test_a_missing_section_is_found(design, anchor, item):
    document = msgspec.structs.replace(
        design.document, sections=tuple(one for one in design.document.sections if one.anchor != anchor)
    )
    assert item in {check.number for check in validate(written(design, document=document)) if not check.ok}


def test_evidence_that_does_not_exist_counts_as_none(design):
    checks = validate(written(design, cites=Citations()))
    assert not any(check.ok for check in checks)
