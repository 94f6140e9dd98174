"""The bundle: everything that serving needs of one version, verified before any of it is used."""

from __future__ import annotations

import math
from typing import Any, Protocol, TypeVar

import msgspec

from bluegold.core.errors import IntegrityError, RegistryError
from bluegold.core.nouns import ModelVersion
from bluegold.registry.predictors import FAMILIES, Predictor, Score, load_predictor
from bluegold.registry.predictors.calibrated import CalibratedPredictor, Calibration
from bluegold.registry.rule import DecisionRule
from bluegold.security.artefact_scan import scan

__all__ = ["Bundle", "CanaryRecord", "DecisionFile", "DecisionRule", "Versioned", "Versions", "load_bundle"]

T = TypeVar("T")


class CanaryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One known input with its known answer; ``vector`` is null where the matrix holds NaN.

    ``score`` is what the predictor says: a number, or one a class.
    """

    id: str
    payload: dict[str, Any]
    vector: tuple[float | None, ...]
    score: Score

    def matrix_row(self) -> list[float]:
        """The model's input as numbers, with NaN where nothing is known.

        Example:
            >>> CanaryRecord(id="a", payload={}, vector=(1.0, None), score=0.5).matrix_row()
            [1.0, nan]
        """
        return [math.nan if value is None else value for value in self.vector]


class DecisionFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The artefact ``decision.json``: the family of the model, how its scores are calibrated and become decisions.

    Example:
        >>> file = DecisionFile(family="logistic", rule=DecisionRule(threshold=0.4))
        >>> DecisionFile.load(file.dump()) == file
        True
    """

    family: str
    rule: DecisionRule
    calibration: Calibration | None = None

    def dump(self) -> bytes:
        """The artefact's content."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1)

    @classmethod
    def load(cls, data: bytes) -> DecisionFile:
        """Read the artefact's content; raises ``msgspec.MsgspecError`` when it is something else."""
        return msgspec.json.decode(data, type=cls)


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """What serving loads: predictor, feature program (as its JSON), decision rule, known answers, feature names.

    ``online`` is the address of its online features; empty for the workspace's own store.  ``chain_guard`` says what
    is done with chains of near-repeated queries.
    """

    ref: str
    digest: str
    predictor: Predictor
    program_json: bytes
    decision: DecisionRule
    canaries: tuple[CanaryRecord, ...]
    names: tuple[str, ...]
    online: str = ""
    chain_guard: str = "off"


class Versions(Protocol):
    """Gives versions and their artefacts, verified."""

    def verified(self, ref: str) -> ModelVersion:
        """The version, after its digest and signature were verified."""

    def artefact(self, ref: str, name: str) -> bytes:
        """The content of one artefact, verified."""


class Versioned(Protocol):
    """What holds versions, such as the registry."""

    @property
    def versions(self) -> Versions:
        """The versions."""


class _Stores(msgspec.Struct, frozen=True):
    online: str = ""


class _Security(msgspec.Struct, frozen=True):
    chain_guard: str = "off"


class _Plan(msgspec.Struct):
    stores: _Stores = _Stores()
    security: _Security = _Security()


class _Program(msgspec.Struct):
    names: tuple[str, ...] = ()


def load_bundle(registry: Versioned, ref: str) -> Bundle:
    """Verify signature, digests and formats of a version, then load it.

    Args:
        registry: where the version is.
        ref: which version.

    Raises:
        UnknownVersion: there is no such version.
        IntegrityError: something was changed, or the model does not give its own known answers; names the file.
        RegistryError: an artefact that serving needs is missing or not of its format.
    """
    version = registry.versions.verified(ref)
    files = _Files(registry, version.ref)
    decision = files.decoded("decision.json", DecisionFile)
    program = files.read("program.json")
    names = files.decoded("program.json", _Program).names
    canaries = files.decoded("canaries.json", tuple[CanaryRecord, ...])
    if decision.family not in FAMILIES:
        raise RegistryError(
            f"{version.ref} cannot be served", why=f"no predictor of family '{decision.family}'", subject=version.ref
        )
    predictor = load_predictor(decision.family, files.read(FAMILIES[decision.family][0]))
    if decision.calibration is not None:
        predictor = CalibratedPredictor(predictor, decision.calibration)
    if names and len(names) != predictor.width:
        raise RegistryError(
            f"{version.ref} cannot be served",
            why=f"its model takes {predictor.width} features and its program makes {len(names)}",
            subject=version.ref,
        )
    _known_answers(version.ref, predictor, canaries)
    plan = files.decoded("plan.json", _Plan) if "plan.json" in version.artefacts else _Plan()
    return Bundle(
        ref=version.ref,
        digest=version.digest,
        predictor=predictor,
        program_json=program,
        decision=decision.rule,
        canaries=canaries,
        names=names,
        online=plan.stores.online,
        chain_guard=plan.security.chain_guard,
    )


class _Files:
    """Reads artefacts of one version: digest verified, content scanned."""

    def __init__(self, registry: Versioned, ref: str) -> None:
        self._registry = registry
        self._ref = ref

    def read(self, name: str) -> bytes:
        data = self._registry.versions.artefact(self._ref, name)
        problems = scan(name, data)
        if problems:
            raise RegistryError(f"artefact '{name}' of {self._ref} is refused", why="; ".join(problems))
        return data

    def decoded(self, name: str, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(self.read(name), type=kind)
        except msgspec.MsgspecError as error:
            raise RegistryError(
                f"artefact '{name}' of {self._ref} cannot be read", why=str(error), subject=self._ref
            ) from error


def _known_answers(ref: str, predictor: Predictor, canaries: tuple[CanaryRecord, ...]) -> None:
    for record in canaries:
        if predictor.score_row(record.matrix_row()) != record.score:
            raise IntegrityError(
                f"{ref} does not give its known answers",
                why=f"canary record '{record.id}' was registered with {record.score!r}",
                way_out="serve it with the library versions in its environment.txt",
                subject=ref,
            )
