"""Attributions compared: an honest successor keeps its reasons, one of other reasons is noticed; people decide."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bluegold.core.errors import BluegoldError
from bluegold.core.plan import Guardrails, Rollout
from bluegold.core.workspace import Workspace
from bluegold.delivery.attribution_shift import MOST, AttributionShift
from bluegold.delivery.candidate import Subject
from bluegold.delivery.evidence import Comparison, Evidence
from bluegold.delivery.watch import Watch
from bluegold.development import develop
from bluegold.development.tables import matrix_of
from bluegold.export.skeleton import skeleton
from bluegold.features.loader import load_system
from bluegold.production.results.decision_reader import DecisionReader
from bluegold.production.results.records import DecisionRecord, Other
from bluegold.registry import Registry


def decisions(blue: Subject, gold: Subject, count: int) -> list[DecisionRecord]:
    """Decisions of Blue about rows of Gold's hold-out, with what Gold said; both are right."""
    matrix = matrix_of(gold.holdout, gold.program.names)
    rows = matrix[np.random.default_rng(3).choice(len(matrix), count)]
    return [
        DecisionRecord(
            at=1,
            id=f"0-1-{number}",
            model=blue.version.model,
            version=blue.version.version,
            color="blue",
            value=True,
            score=0.9,
            revision=5,
            vector=[None if np.isnan(value) else float(value) for value in row],
            features_digest=gold.program.digest,
            other=Other(color="gold", version=gold.version.version, value=True, score=0.9, latency_us=10),
        )
        for number, row in enumerate(rows)
    ]


def compared(registry: Registry, gold: str, count: int = 600) -> AttributionShift:
    subjects = [Subject(registry, registry.versions.get(f"pumps:{ref}")) for ref in ("v1", gold)]
    found = AttributionShift(*subjects, starts=4)
    for record in decisions(*subjects, count):
        found.take(record, 0)
    found.settle()
    return found


def test_a_successor_of_the_same_kind_keeps_its_reasons(registry: Registry) -> None:
    found = compared(registry, "v2")
    assert found.n == MOST  # a phase's sample is bounded
    worst = found.worst(0.25, 0.0004)
    assert worst is not None
    assert not worst.broken
    assert abs(worst.change) < 0.25


def test_a_model_of_other_reasons_is_noticed(registry: Registry) -> None:
    worst = compared(registry, "v4").worst(0.1, 0.0004)
    assert worst is not None
    assert worst.broken
    assert abs(worst.change) > 0.1
    assert worst.feature in Subject(registry, registry.versions.get("pumps:v4")).program.names


def test_the_watch_pauses_for_a_person(registry: Registry, tmp_path: Path) -> None:
    blue, gold = (Subject(registry, registry.versions.get(f"pumps:{ref}")) for ref in ("v1", "v4"))
    plan = Rollout(min_requests=100, guardrails=Guardrails(attribution_shift=0.1))
    comparison = Comparison(model="pumps", blue=blue.ref, gold=gold.ref)
    evidence = Evidence(comparison, 4, reasons=AttributionShift(blue, gold, 4))
    evidence.begin(5)
    evidence.take(decisions(blue, gold, 300))
    seen = Watch(DecisionReader(tmp_path), evidence, plan).look(60.0, hold_s=1.0, users=False)
    assert seen.verdict == "pause"
    assert seen.reason.startswith("shift of the share of attributions: ")


def test_versions_that_see_other_features_are_not_compared(registry: Registry, other: Registry) -> None:
    blue, gold = Subject(registry, registry.versions.get("pumps:v1")), Subject(other, other.versions.list()[0])
    with pytest.raises(BluegoldError, match="other features"):
        AttributionShift(blue, gold, 4)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Registry]:
    skeleton("starter", tmp_path / "s")
    space = Workspace.create(tmp_path / "o")
    with Registry.open(space, actor="ada") as registry:
        develop(load_system(tmp_path / "s"), space, registry, author="ada", folder=tmp_path / "s")
        yield registry
