"""What a stage is, what it is given while it runs, and what the runner says about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from bluegold.core.nouns import StageContract
from bluegold.core.workspace import Workspace
from bluegold.features.program import FeatureProgram
from bluegold.features.system import System
from bluegold.registry import Registry

__all__ = ["Origin", "Stage", "StageContext", "StageEvent", "stage_of"]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run comes from: the identities that go into the lineage of its version.

    Args:
        run_id: short digest over everything below; the same inputs give the same run.
        data: digest of the source rows and tables.
        code: git commit of the definition, or the digest of its source.
        environment: digest of the sorted ``name==version`` list.
        seed: the one seed of the run.
        author: who develops the version.
    """

    run_id: str
    data: str
    code: str
    environment: str
    seed: int
    author: str


class StageEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of progress: a stage started, was reused, ended or failed."""

    stage: str
    title: str
    what: Literal["started", "reused", "done", "failed", "note"]
    number: int
    total: int
    seconds: float = 0.0
    text: str = ""


class StageContext:
    """What a stage may use: the definition, its input ports, the registry and one seed.

    Args:
        system: the definition.
        workspace: where the run lives.
        registry: where versions live.
        origin: identities of the run.
        take: reads one input port by name.
        note: tells the caller one line about progress.

    Attributes:
        inputs: input port -> digest of its content; the runner fills it in.
    """

    def __init__(
        self,
        system: System,
        workspace: Workspace,
        registry: Registry,
        origin: Origin,
        take: Callable[[str], Any],
        note: Callable[[str], None],
    ) -> None:
        self.system = system
        self.workspace = workspace
        self.registry = registry
        self.origin = origin
        self.seed = origin.seed
        self.take = take
        self.note = note
        self.inputs: Mapping[str, str] = {}

    def program(self) -> FeatureProgram:
        """The feature program on port ``program``."""
        return FeatureProgram.from_json(self.take("program"))


class _Module(Protocol):
    __file__: str | None
    CONTRACT: StageContract
    READS: tuple[str, ...]

    def run(self, ctx: StageContext) -> dict[str, Any]: ...


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage as the runner sees it.

    Args:
        title: the method's name of the stage; the five verification stages share one.
        contract: ports, gate, limits.
        reads: parts of the definition that the stage depends on (keys of ``digests.definition``).
        run: takes a context, returns a value for every output port.
        source: file that defines it; with what it imports it is the code part of the key.
        still_holds: asked before outputs are reused, when they refer to something outside the run.
    """

    title: str
    contract: StageContract
    reads: tuple[str, ...]
    run: Callable[[StageContext], dict[str, Any]]
    source: Path
    still_holds: Callable[[StageContext, dict[str, Any]], bool] | None = None


def stage_of(title: str, module: Any) -> Stage:
    """The stage that a module defines by ``CONTRACT``, ``READS``, ``run`` and maybe ``still_holds``."""
    found: _Module = module
    return Stage(
        title=title,
        contract=found.CONTRACT,
        reads=found.READS,
        run=found.run,
        source=Path(str(found.__file__)),
        still_holds=getattr(module, "still_holds", None),
    )
