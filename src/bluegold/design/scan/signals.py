"""A signal is what a reader saw in a file, before anyone asks which technology it shows."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["CONFIDENCE", "EVIDENCE", "Channel", "EvidenceKind", "Scope", "Signal"]

Channel = Literal[
    "import", "call", "package", "foreign", "image", "chart", "resource", "url",
    "env", "setting", "text", "terraform", "action", "command", "file", "mention",
]  # fmt: skip
EvidenceKind = Literal["import", "call", "configuration", "deployment", "dependency", "prose"]
Scope = Literal["main", "test", "example", "vendored"]

#: which kind of evidence a channel is, unless the signal says otherwise
EVIDENCE: dict[Channel, EvidenceKind] = {
    "import": "import",
    "foreign": "import",
    "call": "call",
    "command": "call",
    "package": "dependency",
    "image": "deployment",
    "chart": "deployment",
    "resource": "deployment",
    "terraform": "deployment",
    "url": "configuration",
    "env": "configuration",
    "setting": "configuration",
    "text": "configuration",
    "action": "configuration",
    "file": "configuration",
    "mention": "prose",
}
#: how far one such signal is trusted in the system's own code
CONFIDENCE: dict[EvidenceKind, float] = {
    "import": 0.9,
    "call": 0.95,
    "configuration": 0.85,
    "deployment": 0.95,
    "dependency": 0.8,
    "prose": 0.3,
}


class Signal(NamedTuple):
    """One sign at one line.

    ``extra`` refines ``value``: the first argument of a call, the value of a setting.
    ``weight`` scales the confidence, ``evidence`` and ``scope`` override what the channel and the path say.
    """

    channel: Channel
    value: str
    line: int
    detail: str = ""
    extra: str = ""
    keywords: frozenset[str] = frozenset()
    weight: float = 1.0
    evidence: EvidenceKind | None = None
    scope: Scope | None = None
