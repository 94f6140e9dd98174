"""The candidate: what a gate may look at, read once and verified on every read."""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from bluegold.core.errors import DeliveryError
from bluegold.core.nouns import ModelVersion
from bluegold.core.plan import Plan
from bluegold.core.workspace import Workspace
from bluegold.registry.bundle import Bundle, DecisionFile, load_bundle
from bluegold.registry.registry import Registry

if TYPE_CHECKING:
    import polars as pl

    from bluegold.features.program import FeatureProgram

__all__ = ["Candidate", "Subject"]

T = TypeVar("T")


class Subject:
    """One version with its artefacts.

    Args:
        registry: where it is.
        version: the version.
    """

    def __init__(self, registry: Registry, version: ModelVersion) -> None:
        self.registry = registry
        self.version = version
        self.ref = version.ref

    def has(self, name: str) -> bool:
        """Whether the version was registered with this artefact."""
        return name in self.version.artefacts

    def read(self, name: str) -> bytes:
        """One artefact, digest and signature verified.

        Raises:
            RegistryError: the version has none of that name.
            IntegrityError: it was changed.
        """
        return self.registry.versions.artefact(self.ref, name)

    def facts(self, name: str, kind: type[T]) -> T:
        """One JSON artefact as ``kind``.

        Raises:
            DeliveryError: the artefact says something else.
        """
        try:
            return msgspec.json.decode(self.read(name), type=kind)
        except msgspec.MsgspecError as error:
            raise DeliveryError(
                f"artefact '{name}' of {self.ref} cannot be read", why=str(error), way_out="develop the version again"
            ) from error

    @functools.cached_property
    def bundle(self) -> Bundle:
        """The version as serving loads it: verified, known answers given."""
        return load_bundle(self.registry, self.ref)

    @functools.cached_property
    def decision(self) -> DecisionFile:
        """Family and decision rule."""
        return self.facts("decision.json", DecisionFile)

    @functools.cached_property
    def program(self) -> FeatureProgram:
        """The feature program."""
        from bluegold.features.program import FeatureProgram

        return FeatureProgram.from_json(self.read("program.json"))

    @functools.cached_property
    def holdout(self) -> pl.DataFrame:
        """The hold-out rows: contract columns, ``f:<feature>``, the label ``y``."""
        import polars as pl

        return pl.read_parquet(io.BytesIO(self.read("holdout.parquet")))

    @functools.cached_property
    def protected(self) -> tuple[str, ...]:
        """Protected attributes, as verification judged them."""
        if not self.has("verification.json"):
            return ()
        details = self.facts("verification.json", dict[str, Any]).get("details", {})
        return tuple(details.get("fairness", {}).get("attributes", {}))

    def scores(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Probabilities of a feature matrix."""
        return self.bundle.predictor.scores(matrix)


class Candidate(Subject):
    """The version under judgement, with the Blue it would replace.

    Args:
        registry: where both are.
        workspace: where a real worker can be started.
        version: the candidate.
        plan: the limits it is held against.
        blue: the version in production, or None (cold start).
    """

    def __init__(
        self, registry: Registry, workspace: Workspace, version: ModelVersion, plan: Plan, blue: ModelVersion | None
    ) -> None:
        super().__init__(registry, version)
        self.workspace = workspace
        self.plan = plan
        self.blue = Subject(registry, blue) if blue is not None else None

    @classmethod
    def open(cls, registry: Registry, workspace: Workspace, ref: str, plan: Plan | None = None) -> Candidate:
        """The candidate named ``ref`` beside today's production.

        Args:
            registry: where it is.
            workspace: the registry's workspace.
            ref: ``name:v2`` or ``v2``.
            plan: the limits; without one, the plan that was signed with the version.

        Raises:
            UnknownVersion: there is no such version.
            DeliveryError: no plan was given and the version carries none.
        """
        version = registry.versions.verified(ref)
        if plan is None:
            if "plan.json" not in version.artefacts:
                raise DeliveryError(
                    f"{version.ref} cannot be delivered",
                    why="it was not developed here: it carries no plan, and what was taken over is evidence only",
                    way_out="develop the system here ('bluegold init', 'bluegold develop') and deliver that version",
                )
            plan = Subject(registry, version).facts("plan.json", Plan)
        change = registry.lifecycle.production(version.model)
        blue = registry.versions.get(change.ref) if change is not None else None
        return cls(registry, workspace, version, plan, None if blue and blue.ref == version.ref else blue)
