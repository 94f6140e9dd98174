"""The document: one definition, its registry and its ledger become the files an architect hands over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import msgspec

from bluegold.core.errors import BluegoldError, UsageError, WorkspaceError
from bluegold.core.nouns import Finding
from bluegold.core.plan import Plan
from bluegold.core.workspace import Workspace, write_atomic
from bluegold.design.annexes import annexes
from bluegold.design.blocks import Document, texts
from bluegold.design.brief import Brief
from bluegold.design.citations import Citations
from bluegold.design.contradictions import refuse_contradictions
from bluegold.design.decide import decide
from bluegold.design.facts import gather, learns
from bluegold.design.markdown import markdown
from bluegold.design.packet import completed, packet
from bluegold.design.page import page
from bluegold.design.sections import (
    answers,
    as_is,
    closing,
    overview,
    phases,
    s1_development,
    s2_production,
    s3_stores,
    s4_registry,
    s5_delivery,
    s6_requirements,
)
from bluegold.design.understand import AsIs, understand
from bluegold.design.validate import Check, Written, validate
from bluegold.design.words import Language, Words, translated
from bluegold.features.system import System

__all__ = ["NAME", "Design", "Examined", "compose", "document", "examine", "held"]

NAME = "A-02_AI_Pipeline_Architecture_Deep"

_SIX = (s1_development, s2_production, s3_stores, s4_registry, s5_delivery, s6_requirements)
_TECHNICAL = (overview, as_is, *_SIX, phases, answers)
_EXECUTIVE = (overview, as_is, s1_development, s2_production, s5_delivery, phases)
_FORMATS = ("markdown", "html", "dual")
_VARIANTS = ("technical", "executive")
_LANGUAGES = ("en", "es")


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of a code base; empty when there is none.

    ``given`` are facts stated elsewhere (:func:`~bluegold.design.stated.parse_facts`); they go before the plan's.
    """

    findings: tuple[Finding, ...] = ()
    as_is: AsIs | None = None
    plan_text: str = ""
    root: Path | None = None
    given: dict[str, Any] = {}

    @property
    def learns(self) -> bool:
        """Whether anything in it belongs to a system with models in it."""
        return learns(self.findings, self.as_is)


_NOTHING = Examined()


class Design(msgspec.Struct, frozen=True, kw_only=True):
    """A composed design: the document, its packet, its brief and the eleven checks."""

    document: Document
    packet: dict[str, Any]
    brief: Brief
    checks: tuple[Check, ...]


def document(
    subject: System | Plan,
    workspace: Workspace | None,
    out: Path,
    *,
    fmt: str = "dual",
    variant: str = "technical",
    lang: str = "en",
    repo: Path | Examined | None = None,
) -> tuple[Path, ...]:
    """Write the design of a system; the same facts give the same bytes.

    Args:
        subject: the definition, or only a plan when no definition exists yet.
        workspace: where the system lives; None before it does.
        out: folder for the files; it is made.
        fmt: ``markdown``, ``html`` or ``dual``.
        variant: ``technical`` (all six sections) or ``executive`` (S1, S2, S5 and the figures).
        lang: ``en`` or ``es``.
        repo: code base to read, or what :func:`examine` read; a ``theme.css`` in it replaces the brand tokens.

    Returns:
        the files, the primary document first.

    Raises:
        UsageError: a format, variant or language that does not exist.
        WorkspaceError: the folder cannot be written.
    """
    _known(fmt, variant, lang)
    tongue = cast(Language, lang)
    found = examine(repo) if isinstance(repo, Path) else repo or Examined()
    design = compose(subject, workspace, found, executive=variant == "executive", lang=tongue)
    words = Words(tongue)
    files = _rendered(design, words, fmt, _tokens(found.root)) | annexes(design.brief, design.packet, words)
    _write(out, files)
    return tuple(out / name for name in files)


def _known(fmt: str, variant: str, lang: str) -> None:
    for given, allowed, what in (
        (fmt, _FORMATS, "format"),
        (variant, _VARIANTS, "variant"),
        (lang, _LANGUAGES, "language"),
    ):
        if given not in allowed:
            raise UsageError(f"there is no {what} '{given}'", way_out=f"use one of {', '.join(allowed)}")


def _write(out: Path, files: dict[str, bytes]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "stages").mkdir(exist_ok=True)
        for name, data in files.items():
            write_atomic(out / name, data)
    except OSError as error:
        raise WorkspaceError(
            f"the design cannot be written to '{out}'",
            why=error.strerror or str(error),
            way_out="choose another folder with --out, or fix its rights or free space",
        ) from error


def held(files: tuple[Path, ...]) -> tuple[str, ...]:
    """The checks of a written design that do not hold, read back from its packet."""
    path = next(file for file in files if file.name == "architecture.json")
    packet = msgspec.json.decode(path.read_bytes())
    return tuple(check["name"] for check in packet["validation"]["checks"] if check["status"] != "pass")


def examine(repo: Path | None, given: Mapping[str, Any] = MappingProxyType({})) -> Examined:
    """Read a code base: what is in it, what it does, and what its plan says where there is no definition.

    Args:
        repo: its folder, or nothing when there is only what is ``given``.
        given: facts stated elsewhere.

    Raises:
        DataError: the path is no folder.
    """
    from bluegold.design.scan import scan

    if repo is None:
        return Examined(given=dict(given))
    findings = scan(repo)
    plan = repo / "architecture.yaml"
    text = plan.read_text(encoding="utf-8", errors="replace") if plan.is_file() else ""
    as_is = understand(repo, findings)
    return Examined(findings=findings, as_is=as_is, plan_text=text, root=repo, given=dict(given))


def compose(
    subject: System | Plan,
    workspace: Workspace | None,
    found: Examined = _NOTHING,
    *,
    executive: bool = False,
    lang: Language = "en",
) -> Design:
    """Write the design as data: sections, packet and the validation of both.

    The full document is always composed, so that evidence has the same number in every variant.

    Raises:
        DefinitionError: what was stated contradicts itself, or names a decision that does not exist.
    """
    facts = gather(subject, workspace, found.findings, as_is=found.as_is, plan_text=found.plan_text, given=found.given)
    refuse_contradictions(facts)
    words = Words(lang)
    cites = Citations()
    for name, value in sorted(found.given.items()):
        cites.cite(f"command line: {name}", f"{name}: {msgspec.json.encode(value).decode()}")
    brief = Brief(facts=facts, decisions=decide(facts), cites=cites, say=words.say)
    whole = _document(brief, lang, _TECHNICAL)
    packed = packet(brief)
    checks = validate(Written(document=_english(brief, lang, whole), packet=packed, cites=cites))
    shown = _document(msgspec.structs.replace(brief, executive=True), lang, _EXECUTIVE) if executive else whole
    end = (closing.validation(brief, checks),)
    used = set(cites.ids("\n".join(_all_text(msgspec.structs.replace(shown, sections=(*shown.sections, *end))))))
    cited = tuple(item for item in cites.all if not executive or item.id in used)
    shown = msgspec.structs.replace(shown, sections=(*shown.sections, *end, closing.evidence(brief, cited)))
    unresolved = sum(text.count(f"[{words.say('Needs input')}") for text in _all_text(whole))
    return Design(
        document=translated(shown, words),
        packet=completed(packed, checks, cites.all, unresolved),
        brief=brief,
        checks=checks,
    )


def _english(brief: Brief, lang: Language, whole: Document) -> Document:
    """The document the checks read: always the English one, since they look for its words."""
    if lang == "en":
        return whole
    return _document(msgspec.structs.replace(brief, say=Words("en").say), "en", _TECHNICAL)


def _document(brief: Brief, lang: Language, writers: tuple[Any, ...]) -> Document:
    executive = brief.executive
    subtitle = brief.say(
        "Two pipelines, one registry: what was decided and why, what is enforced, and what was measured."
    )
    return Document(
        title=brief.facts.name,
        subtitle=subtitle,
        lang=lang,
        variant="executive" if executive else "technical",
        sections=tuple(section for writer in writers if (section := writer.write(brief)).blocks),
    )


def _all_text(document: Document) -> list[str]:
    return [text for section in document.sections for block in section.blocks for text in texts(block)]


def _rendered(design: Design, words: Words, fmt: str, tokens: str) -> dict[str, bytes]:
    name = NAME if design.document.variant == "technical" else f"{NAME}_Executive"
    found: dict[str, bytes] = {}
    if fmt in {"html", "dual"}:
        found[f"{name}.html"] = page(design.document, words, tokens).encode()
    if fmt in {"markdown", "dual"}:
        found[f"{name}.md"] = markdown(design.document, words).encode()
    found["architecture.json"] = msgspec.json.format(msgspec.json.encode(design.packet), indent=2) + b"\n"
    return found


def _tokens(repo: Path | None) -> str:
    path = None if repo is None else repo / "theme.css"
    if path is None or not path.is_file():
        return ""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BluegoldError(f"'{path}' cannot be read", why=str(error), way_out="write CSS in UTF-8") from error
    if "<" in text or "@import" in text or "url(" in text:
        raise BluegoldError(
            f"'{path}' holds more than tokens",
            why="markup, @import and url() stay out",
            way_out="use CSS variables only",
        )
    return text
