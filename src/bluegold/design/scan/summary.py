"""Findings told by technology: the strongest usage, and the best place to look."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bluegold.core.nouns import Finding

__all__ = ["MACHINE_LEARNING", "Seen", "shows_machine_learning", "technologies"]

#: strongest first
USAGES = ("used", "declared", "mentioned")
#: kinds that only a system with models in it uses
MACHINE_LEARNING = frozenset(
    [
        *("framework", "tuning", "explainability", "fairness", "tracking", "registry", "feature-store", "platform"),
        *("drift-monitoring", "llm", "vector-store", "labelling", "notebook"),
    ]
)
_SERVES_MODELS = frozenset(
    [
        "tf-serving",
        "torchserve",
        "triton",
        "vllm",
        "bentoml",
        "kserve",
        "seldon",
        "ray-serve",
        "mlserver",
        "onnxruntime",
        "ollama",
        "llama-cpp",
        "sglang",
        "text-generation-inference",
    ]
)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One technology over the whole code base.

    ``best`` is the finding to cite: strongest usage, then confidence, then the first place.
    """

    technology: str
    kind: str
    section: str
    usage: str
    confidence: float
    findings: int
    best: Finding


def technologies(findings: Iterable[Finding]) -> tuple[Seen, ...]:
    """Each technology and kind once, used before declared before mentioned, then by section and name.

    Args:
        findings: what a scan gave.

    Example:
        >>> technologies(())
        ()
    """
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.technology, finding.kind), []).append(finding)
    seen = []
    for (technology, kind), group in groups.items():
        best = min(group, key=lambda item: (USAGES.index(item.usage), -item.confidence, item.path, item.line))
        seen.append(
            Seen(
                technology=technology,
                kind=kind,
                section=best.section,
                usage=best.usage,
                confidence=best.confidence,
                findings=sum(item.usage == best.usage for item in group),
                best=best,
            )
        )
    return tuple(sorted(seen, key=lambda item: (USAGES.index(item.usage), item.section, item.kind, item.technology)))


def shows_machine_learning(findings: Iterable[Finding]) -> bool:
    """Whether anything used or declared belongs to a system with models in it."""
    return any(
        item.usage != "mentioned" and (item.kind in MACHINE_LEARNING or item.technology in _SERVES_MODELS)
        for item in findings
    )
