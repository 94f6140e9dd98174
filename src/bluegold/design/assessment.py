"""Assessment: an existing code base held against what S1-S6 expect, row by row, with the places that show it."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import msgspec

from bluegold.core.nouns import Finding, Noun, Section
from bluegold.design.facts import learns
from bluegold.design.understand import AsIs, Risk, understand
from bluegold.design.understand.sources import Sources, read_sources

__all__ = ["Assessed", "Assessment", "assess"]

Status = Literal["present", "partial", "missing"]
_POINTS: dict[Status, float] = {"present": 1.0, "partial": 0.5, "missing": 0.0}


class Assessed(Noun, frozen=True, kw_only=True):
    """One capability: its status, the technologies that answer it, where it shows, and what is missing."""

    section: Section
    capability: str
    status: Status
    technologies: tuple[str, ...]
    evidence: tuple[str, ...]
    missing: str


#: a system that is defined here trains, though its definition alone shows no library
_DEFINITION = ("pipeline.py", "architecture.yaml")


class Assessment(Noun, frozen=True, kw_only=True):
    """All rows, per section (points, of how many), and whether the code base has to do with models at all."""

    rows: tuple[Assessed, ...]
    sections: dict[str, tuple[float, int]]
    points: float
    total: int
    learns: bool


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    section: Section
    capability: str
    missing: str
    activities: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    technologies: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    spoilt: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    calls: str = ""
    shared: bool = False
    strict: bool = False
    always: bool = False


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    findings: tuple[Finding, ...]
    as_is: AsIs
    sources: Sources


@cache
def _rows() -> tuple[_Row, ...]:
    text = files("bluegold.design").joinpath("assessment.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["row"], tuple[_Row, ...])


#: calls that show what no kind of technology shows
_CALLS = {
    "record": re.compile(
        r".*\b(insert_one|insert_many|to_sql|insert_rows_json|log_prediction\w*|send_and_wait|produce|log_decision)$"
    ),
    "rollback": re.compile(r".*\b(rollback_\w*|roll_back|transition_model_version_stage|set_registered_model_alias)$"),
    "access": re.compile(
        r"fastapi\.(Depends|Security|security\..*)|.*\b(HTTPBearer|APIKeyHeader|OAuth2PasswordBearer|login_required|jwt\.decode"
        r"|verify_token|require_auth|jwt_required|compare_digest)$"
    ),
}


def assess(root: Path, findings: tuple[Finding, ...]) -> Assessment:
    """Hold a code base against every expectation.

    Args:
        root: its folder; nothing in it is run.
        findings: what a scan of it found.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "app.py").write_text("print('hello')")
        ...     found = assess(Path(folder), ())
        >>> found.rows[0].status, found.sections["S4"]
        ('missing', (0.0, 3))
    """
    sources = read_sources(root)
    seen = _Seen(findings=findings, as_is=understand(root, findings, sources), sources=sources)
    judged = ((row.needs, _row(row, seen)) for row in _rows())
    rows = tuple(one for needs, one in judged if not needs or one.status != "missing" or seen.as_is.does(*needs))
    sections: dict[str, tuple[float, int]] = {}
    for row in rows:
        points, total = sections.get(row.section, (0.0, 0))
        sections[row.section] = (points + _POINTS[row.status], total + 1)
    return Assessment(
        rows=rows,
        sections=dict(sorted(sections.items())),
        points=sum(points for points, _ in sections.values()),
        total=len(rows),
        learns=learns(findings, seen.as_is) or all((root / name).is_file() for name in _DEFINITION),
    )


def _row(row: _Row, seen: _Seen) -> Assessed:
    technologies, places = _answers(row, seen, "used")
    if row.always and seen.as_is.modules:
        places = (f"{len(seen.sources.texts)} files read, none found",)
    spoils = tuple(risk for risk in seen.as_is.risks if risk.row.id in row.spoilt)
    declared: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    status: Status = "present" if places else "missing"
    if status == "present" and spoils:
        status = "missing" if row.strict else "partial"
    elif status == "missing":
        declared = _answers(row, seen, "declared")
        status = "partial" if declared[1] else "missing"
    wrong = tuple(_spoilt(risk) for risk in spoils)
    missing = "; ".join(wrong) if spoils else "" if status == "present" else row.missing
    if status == "partial" and declared[1]:
        missing = f"{row.missing}: {', '.join(declared[0])} is only declared"
    return Assessed(
        section=row.section,
        capability=row.capability,
        status=status,
        technologies=technologies or declared[0],
        evidence=tuple(place.cited for risk in spoils for place in risk.places)[:20] or places or declared[1],
        missing=missing,
    )


def _spoilt(risk: Risk) -> str:
    return risk.row.title[0].lower() + risk.row.title[1:]


def _answers(row: _Row, seen: _Seen, usage: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Technologies and places that answer a row."""
    found = [
        one
        for one in seen.findings
        if one.usage == usage and (one.technology in row.technologies if row.technologies else one.kind in row.kinds)
    ]
    technologies = tuple(dict.fromkeys(one.technology for one in found))
    places = [f"{one.path}:{one.line}" for one in found]
    if usage == "used":
        places = _code(row, seen) + places
    return technologies, tuple(dict.fromkeys(places))[:20]


def _code(row: _Row, seen: _Seen) -> list[str]:
    """Places that the code itself shows: activities, calls, files, shared modules."""
    places = [place.cited for name in row.activities if (one := seen.as_is.activity(name)) for place in one.places]
    pattern = _CALLS.get(row.calls)
    if pattern is not None:
        places += [
            f"{module.path}:{call.line}"
            for module in seen.sources.modules
            for call in module.calls
            if pattern.match(call.name)
        ]
    if "tests" in row.files:
        places += [f"{path}:1" for path in seen.sources.tests]
    if "locks" in row.files:
        places += [f"{path}:1" for path in seen.sources.locks]
        places += _pinned(seen) if not places else []
    if "requirements" in row.files:
        places += [f"{file.path}:1" for file in seen.sources.texts if _requirements(file.path, file.text)]
    if row.shared:
        places += _shared(seen)
    return places


def _pinned(seen: _Seen) -> list[str]:
    """Requirement files and definitions of environments; what is loose in them is a risk of its own."""
    names = re.compile(r"(?i)(.*/)?(requirements?[^/]*\.txt|environment\.ya?ml|conda\.ya?ml)")
    return [f"{file.path}:1" for file in seen.sources.texts if names.fullmatch(file.path) and file.text.strip()]


def _requirements(path: str, text: str) -> bool:
    return path.endswith("architecture.yaml") or bool(
        path.endswith((".yaml", ".yml", ".toml"))
        and re.search(r"(?m)^\s*(slo|sla|service_level|objectives)s?\s*:", text)
    )


def _shared(seen: _Seen) -> list[str]:
    """Own modules that both a training and a serving module import."""
    from bluegold.design.understand.imports import closure

    sides = []
    for names in (("train", "tune"), ("serve", "score")):
        paths = {path for name in names if (one := seen.as_is.activity(name)) for path in one.files}
        start = [module for module in seen.sources.modules if module.path in paths]
        sides.append(closure(start, seen.sources.modules))
    both = sides[0].keys() & sides[1].keys()
    done = {path for one in seen.as_is.activities if one.id == "transform" for path in one.files}
    return [f"{path}:1" for path in sorted(both & done)]
