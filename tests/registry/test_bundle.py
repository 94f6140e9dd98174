"""A bundle is verified, scanned and asked its known answers before anybody gets it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from bluegold.core.errors import IntegrityError, RegistryError
from bluegold.core.nouns import ModelVersion
from bluegold.core.workspace import Workspace
from bluegold.registry import Registry
from bluegold.registry.bundle import CanaryRecord, DecisionFile, DecisionRule, load_bundle
from bluegold.registry.predictors.linear import LinearPredictor, NumberTerm

Add = Callable[..., ModelVersion]

MODEL = LinearPredictor(
    intercept=0.0, terms=(NumberTerm(mean=0, scale=1, weight=1), NumberTerm(mean=0, scale=1, weight=1))
)
RULE = DecisionRule(positive_label="late", threshold=0.5, group_by="origin", thresholds={"EWR": 0.7})


def parts(**changes: bytes) -> dict[str, bytes]:
    canaries = [
        CanaryRecord(id="c1", payload={"a": 1}, vector=(1.0, 0.5), score=MODEL.score_row([1.0, 0.5])),
        CanaryRecord(id="c2", payload={}, vector=(None, 0.5), score=MODEL.score_row([float("nan"), 0.5])),
    ]
    return {
        "model_json": MODEL.dump(),
        "decision_json": DecisionFile(family="logistic", rule=RULE).dump(),
        "program_json": b'{"names": ["a", "b"], "more": 1}',
        "canaries_json": msgspec.json.encode(canaries),
        **changes,
    }


def test_a_bundle_is_all_that_serving_needs(registry: Registry, add: Add) -> None:
    version = add(**parts())
    bundle = load_bundle(registry, "v1")
    assert (bundle.ref, bundle.digest) == (version.ref, version.digest)
    assert bundle.names == ("a", "b")
    assert bundle.decision == RULE
    assert bundle.program_json == parts()["program_json"]
    assert [record.id for record in bundle.canaries] == ["c1", "c2"]
    assert bundle.predictor.score_row([0.0, 0.0]) == 0.5


def test_the_threshold_of_a_groups_row_is_the_groups() -> None:
    assert not RULE.decide(0.6, "EWR")
    assert RULE.decide(0.6, "JFK")
    assert RULE.decide(0.7, "EWR")
    assert DecisionRule().decide(0.5)


@pytest.mark.parametrize("name", ["model.json", "decision.json", "program.json", "canaries.json"])
def test_a_flipped_byte_in_any_part_names_the_file(registry: Registry, add: Add, space: Workspace, name: str) -> None:
    digest = add(**parts()).artefacts[name]
    path = space.objects / digest[:2] / digest
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match=name.replace(".", r"\.")):
        load_bundle(registry, "v1")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"decision_json": b"[]"}, r"decision\.json"),
        ({"decision_json": b'{"family": "oracle", "rule": {}}'}, "oracle"),
        ({"canaries_json": b'[{"id": 1}]'}, r"canaries\.json"),
        ({"program_json": b'{"names": ["a"]}'}, "takes 2 features and its program makes 1"),
        ({"model_json": b"{}"}, "no linear model"),
    ],
)
def test_a_part_that_means_nothing_is_named(
    registry: Registry, add: Add, changes: dict[str, bytes], problem: str
) -> None:
    add(**parts(**changes))
    with pytest.raises(RegistryError, match=problem):
        load_bundle(registry, "v1")


def test_a_missing_part_is_named(registry: Registry, add: Add) -> None:
    files = parts()
    del files["canaries_json"]
    add(**files)
    with pytest.raises(RegistryError, match=r"canaries\.json"):
        load_bundle(registry, "v1")


def test_a_model_that_forgot_its_known_answers_is_refused(registry: Registry, add: Add) -> None:
    wrong = [CanaryRecord(id="c1", payload={}, vector=(1.0, 0.5), score=0.25)]
    add(**parts(canaries_json=msgspec.json.encode(wrong)))
    with pytest.raises(IntegrityError, match="'c1'"):
        load_bundle(registry, "v1")
