"""Loading: from a traffic split to lanes that answer; verified, warmed, and kept for the next switch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bluegold.core.errors import WorkspaceError
from bluegold.core.nouns import TrafficSplit
from bluegold.core.settings import settings
from bluegold.core.workspace import Workspace
from bluegold.features.online import OnlineStore
from bluegold.features.program import FeatureProgram
from bluegold.features.row import RowProgram
from bluegold.production.execution import FAULTS
from bluegold.production.kept import Kept, Recorded
from bluegold.production.lanes import Lane, Lanes
from bluegold.production.operations.breaker import Breaker
from bluegold.production.operations.guarded import GuardedReader
from bluegold.production.veil import Veil
from bluegold.production.waiting import after_turn
from bluegold.registry.bundle import Bundle, Versioned, load_bundle
from bluegold.stores import connect
from bluegold.stores.protocols import KeyValueStore
from bluegold.telemetry.log import Log

if TYPE_CHECKING:
    from bluegold.production.chain_guard import ChainGuard

__all__ = ["Loader"]

_LOG = Log("production")
KEPT = 4
"""Versions kept in memory, so that going back needs no loading."""


class Loader:
    """Builds lanes; a version that was loaded before is not loaded again.

    Args:
        registry: where versions are read and verified.
        online: the workspace's store of online features, for versions whose plan names no other.
        kept: where what answers is kept, for a start without registry; None to keep nothing.
        keys: the workspace's keys; without them a version whose contract marks personal fields is not loaded.
    """

    def __init__(
        self, registry: Versioned, online: KeyValueStore, kept: Kept | None = None, *, keys: Path | None = None
    ) -> None:
        self._keys = keys
        self._registry = registry
        self._copies = kept
        self._online = online
        self.breaker = Breaker("online features")
        self._kept: dict[str, Lane] = {}
        self._elsewhere: dict[str, KeyValueStore] = {}

    def lanes(self, split: TrafficSplit) -> Lanes:
        """The lanes of a split.

        A Gold that cannot be loaded is a fault of Gold: the lanes say so and Blue answers.

        Raises:
            BluegoldError: Blue cannot be loaded; whatever answers now should go on.
        """
        blue = self.lane(split.blue)
        gold, fault = None, ""
        if split.gold and split.mode != "off":
            try:
                gold = self.lane(split.gold)
            except FAULTS as error:
                fault = f"{split.gold} cannot be loaded: {error}"
        return Lanes(split=split, blue=blue, gold=gold, gold_fault=fault)

    def lane(self, ref: str) -> Lane:
        """One version, ready to answer: signature and digests verified, its known answers given.

        Raises:
            BluegoldError: it cannot be found, verified or loaded.
        """
        lane = self._kept.pop(ref, None) or self._load(ref)
        self._kept[ref] = lane
        while len(self._kept) > KEPT:
            self._kept.pop(next(iter(self._kept)))
        return lane

    def note(self, split: TrafficSplit) -> None:
        """Keep a configuration that answers now for a start without registry."""
        if self._copies is not None:
            try:
                self._copies.note(split)
            except WorkspaceError as error:
                _LOG.error("a start without registry would go to an older configuration", because=str(error))

    def safe(self) -> Lanes | None:
        """The last safe configuration that was kept, verified; None when nothing is to be kept.

        Raises:
            BluegoldError: there is none, or it does not verify.
        """
        if self._copies is None:
            return None
        split = self._copies.safe()
        lane = self._kept.get(split.blue) or self._lane(load_bundle(self._copies, split.blue))
        self._kept[split.blue] = lane
        return Lanes(split=split, blue=lane)

    def _load(self, ref: str) -> Lane:
        if self._copies is None:
            return self._lane(load_bundle(self._registry, ref))
        source = Recorded(self._registry.versions)
        bundle = load_bundle(source, ref)
        if source.version is not None:
            try:
                self._copies.put(source.version, source.files)
            except WorkspaceError as error:
                _LOG.error("a start without registry would fail", because=str(error))
        return self._lane(bundle)

    def _online_of(self, bundle: Bundle) -> KeyValueStore:
        """Where a version's online features are: as the environment says, else its plan, else the workspace's store."""
        url = settings().key_value_url or bundle.online
        if "://" not in url:
            return self._online
        if url not in self._elsewhere:
            self._elsewhere[url] = connect(url, "key_value", Workspace(Path()))
        return self._elsewhere[url]

    def _lane(self, bundle: Bundle) -> Lane:
        program = FeatureProgram.from_json(bundle.program_json)
        store = OnlineStore(self._online_of(bundle), program)
        return Lane(
            bundle=bundle,
            program=RowProgram(program),
            online=GuardedReader(store.reader(after_turn), self.breaker),
            store=store,
            version=bundle.ref.rpartition(":")[2],
            features=program.digest,
            veil=Veil.of(program.contract, self._keys),
            guard=_guard(bundle, program) if bundle.chain_guard == "refuse" else None,
        )


def _guard(bundle: Bundle, program: FeatureProgram) -> ChainGuard:
    """The guard of a version: what is near, its known records say; histories are not the caller's to write."""
    from bluegold.production.chain_guard import ChainGuard

    past = {item.name for item in program.histories}
    columns = [place for place, name in enumerate(program.names) if name not in past]
    return ChainGuard([one.matrix_row() for one in bundle.canaries], columns)
