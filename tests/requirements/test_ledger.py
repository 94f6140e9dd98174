import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest

from bluegold.core.errors import WorkspaceError
from bluegold.core.nouns import Evidence
from bluegold.core.plan import Override, Plan
from bluegold.requirements.catalog import catalog
from bluegold.requirements.checklist import checklist, totals
from bluegold.requirements.ledger import Ledger


def evidence(identifier="AP-7", value=0.91):
    return Evidence(
        requirement=identifier,
        value=value,
        verdict="threshold",
        unit="",
        samples=100,
        machine="test",
        version="m:v1",
        artefact="holdout.parquet",
        method="counted",
        at=dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc),
    )


def test_the_newest_record_counts_and_the_old_ones_stay(tmp_path):
    ledger = Ledger(tmp_path / "evidence.jsonl")
    ledger.record(evidence(value=0.90))
    entry = ledger.record(evidence(value=0.92))
    assert entry.line == 2
    assert ledger.latest()["AP-7"].evidence.value == 0.92
    assert [kept.evidence.value for kept in ledger.entries()] == [0.90, 0.92]


def test_a_torn_line_loses_only_itself(tmp_path):
    ledger = Ledger(tmp_path / "evidence.jsonl")
    ledger.record(evidence(value=0.90))
    with ledger.path.open("ab") as file:
        file.write(b'{"requirement":"AP-8","val')
    entry = ledger.record(evidence(value=0.93))
    assert entry.line == 3
    assert [kept.evidence.value for kept in ledger.entries()] == [0.90, 0.93]


def test_concurrent_writers_never_mix_their_lines(tmp_path):
    ledger = Ledger(tmp_path / "evidence.jsonl")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: ledger.record(evidence(value=n / 100)), range(80)))
    assert sorted(entry.evidence.value for entry in ledger.entries()) == [n / 100 for n in range(80)]


def test_an_unwritable_ledger_says_so(tmp_path):
    with pytest.raises(WorkspaceError, match="AP-7"):
        Ledger(tmp_path / "missing" / "evidence.jsonl").record(evidence())


def test_the_checklist_judges_again_under_todays_limits(tmp_path):
    ledger = Ledger(tmp_path / "evidence.jsonl")
    ledger.record(evidence(value=0.91))
    loose = checklist(catalog(), ledger)
    strict = checklist(catalog(Plan(system="s", requirements={"AP-7": Override(reason="r", threshold=0.93)})), ledger)
    assert {row.requirement.id: row.verdict for row in loose}["AP-7"] == "threshold"
    assert {row.requirement.id: row.verdict for row in strict}["AP-7"] == "missed"
    assert totals(loose, "AP") == {
        "objective": 0,
        "threshold": 1,
        "missed": 0,
        "needs instrumentation": 12,
        "not applicable": 0,
    }
