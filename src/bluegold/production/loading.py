"""Loading: from a traffic split to lanes that answer; verified, warmed, and kept for the next switch."""

from __future__ import annotations

from bluegold.core.nouns import TrafficSplit
from bluegold.features.online import OnlineStore
from bluegold.features.program import FeatureProgram
from bluegold.features.row import RowProgram
from bluegold.production.execution import FAULTS
from bluegold.production.lanes import Lane, Lanes
from bluegold.production.operations.breaker import Breaker
from bluegold.production.operations.guarded import GuardedReader
from bluegold.registry.bundle import load_bundle
from bluegold.registry.registry import Registry
from bluegold.stores.protocols import KeyValueStore

__all__ = ["Loader"]

KEPT = 4
"""Versions kept in memory, so that going back needs no loading."""


class Loader:
    """Builds lanes; a version that was loaded before is not loaded again.

    Args:
        registry: where versions are read and verified.
        online: the key-value store of online features.
    """

    def __init__(self, registry: Registry, online: KeyValueStore) -> None:
        self._registry = registry
        self._online = online
        self._breaker = Breaker("online features")
        self._kept: dict[str, Lane] = {}

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

    def _load(self, ref: str) -> Lane:
        bundle = load_bundle(self._registry, ref)
        program = FeatureProgram.from_json(bundle.program_json)
        store = OnlineStore(self._online, program)
        return Lane(
            bundle=bundle,
            program=RowProgram(program),
            online=GuardedReader(store.reader(), self._breaker),
            store=store,
            version=bundle.ref.rpartition(":")[2],
            features=program.digest,
        )
