"""Routing: which colour a request belongs to.  Sticky, stateless, the same in every worker."""

from __future__ import annotations

from hashlib import blake2b

from bluegold.core.nouns import Color, TrafficSplit

__all__ = ["place", "route"]


def place(model: str, entity: str) -> float:
    """A fixed place in [0, 1) for an entity; entities spread evenly.

    Example:
        >>> place("m", "N123") == place("m", "N123")
        True
        >>> 0.45 < sum(place("m", str(n)) < 0.5 for n in range(1000)) / 1000 < 0.55
        True
    """
    digest = blake2b(f"{model}\0{entity}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def route(split: TrafficSplit, entity: str) -> Color:
    """The colour that answers an entity.

    The place of an entity does not depend on the share, so raising the share moves entities from Blue to
    Gold only, and the same entity keeps its colour from one request to the next.

    Example:
        >>> split = TrafficSplit(model="m", revision=1, blue="v1", gold="v2", gold_share=1.0, mode="canary")
        >>> route(split, "N123")
        'gold'
        >>> route(TrafficSplit(model="m", revision=2, blue="v1", gold="v2", mode="shadow"), "N123")
        'blue'
    """
    if split.mode not in {"canary", "shift"} or split.gold_share <= 0.0:
        return "blue"
    return "gold" if place(split.model, entity) < split.gold_share else "blue"
