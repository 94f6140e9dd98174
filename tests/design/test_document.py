import re
import shutil
from html.parser import HTMLParser

import msgspec
import pytest

from bluegold.core.errors import UsageError, WorkspaceError
from bluegold.core.plan import Plan
from bluegold.core.workspace import Workspace
from bluegold.design.blocks import Diagram, Table, texts
from bluegold.design.document import NAME, compose, document
from bluegold.registry import Registry

VOID = {"meta", "br", "wbr", "path", "rect", "circle", "line", "polygon", "polyline", "ellipse", "use"}


class Page(HTMLParser):
    """Collects ids, links and tags of a page, and whether every tag is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.tags, self.stack, self.faults, self.attributes = [], [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))
            if name == "id":
                self.ids.append(value)
            if name == "href":
                self.links.append(value)
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.faults.append(tag)


@pytest.fixture(scope="module")
def files(system, workspace, tmp_path_factory):
    return document(system, workspace, tmp_path_factory.mktemp("out"))


@pytest.fixture(scope="module")
def html(files):
    return files[0].read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_delivery_is_complete(files):
    names = {file.name for file in files}
    wanted = {f"{NAME}.html", f"{NAME}.md", "architecture.json", "store-comparison.md", "requirements-checklist.md"}
    assert wanted | {"registry-workflow.mmd", "registry-workflow.svg", "registry-workflow.png"} <= names
    assert sum(name.startswith("S1-") for name in names) == 8
    assert sum(name.startswith("S2-") for name in names) == 6
    assert files[0].name == f"{NAME}.html"


def test_a_second_run_gives_the_same_bytes(files, system, workspace, tmp_path):
    again = document(system, workspace, tmp_path)
    assert [file.name for file in again] == [file.name for file in files]
    for one, other in zip(files, again, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_the_page_is_well_formed_and_its_links_lead_somewhere(page):
    assert page.faults == []
    assert page.stack == []
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert all(link.startswith("#") for link in page.links)


def test_the_page_carries_nothing_from_outside_and_nothing_that_runs(html, page):
    assert not {"script", "img", "link", "iframe", "object", "embed", "base"} & set(page.tags)
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    for forbidden in ("base64", "@font-face", "@import", "url(http", "javascript:", "http-equiv"):
        assert forbidden not in html
    assert not re.findall(r'(?:src|href)="https?:', html)


def test_the_page_has_landmarks_a_skip_link_and_described_drawings(html, page):
    assert {"header", "nav", "main", "footer"} <= set(page.tags)
    assert html.index('class="skip"') < html.index("<header>")
    assert html.count('role="img"') == html.count("Mermaid source") > 5
    assert '<html lang="en">' in html


def test_drawings_follow_the_theme(html):
    for drawing in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        assert not re.findall(r"#[0-9a-fA-F]{6}\b", drawing)
        assert "var(--d-" in drawing


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_no_placeholder_is_left(files, suffix):
    text = next(file for file in files if file.name == f"{NAME}.{suffix}").read_text(encoding="utf-8")
    for leftover in ("{{", "}}", "TODO", "None,", "<built-in", "object at 0x", "\x1f"):
        assert leftover not in text


def test_words_of_the_registry_cannot_become_markup(html, files):
    assert "<b>lost</b>" not in html
    assert "&lt;b&gt;lost&lt;/b&gt;" in html
    assert "<b>lost</b>" not in next(file for file in files if file.suffix == ".md").read_text(encoding="utf-8")


def test_every_claim_has_its_evidence_in_the_index(html, files):
    used = set(re.findall(r'class="ev" href="#(E-\d+)"', html))
    rows = set(re.findall(r'<tr id="(E-\d+)">', html))
    assert used
    assert used <= rows
    text = next(file for file in files if file.name == f"{NAME}.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(#(e-\d+)\)", text)) <= set(re.findall(r'<a id="(e-\d+)">', text))


def test_places_point_to_the_line_that_says_it(system, workspace):
    lines = system.source_text["pipeline.py"].splitlines()
    sources = {item.source for item in compose(system, workspace).brief.cites.all}
    weight = next(number for number, line in enumerate(lines, start=1) if line.strip().startswith("weight:"))
    assert f"pipeline.py:{weight}" in sources
    plan = system.source_text["architecture.yaml"].splitlines()
    assert f"architecture.yaml:{next(n for n, line in enumerate(plan, 1) if line.startswith('topology'))}" in sources


def test_real_versions_measures_and_verdicts_are_shown(html):
    for word in (
        "v1",
        "v2",
        "RolledBack",
        "0.912",
        "an early call is cheap",
        "every threshold met",
        "len()",
    ):
        assert word in html
    assert html.count("[Needs instrumentation]") >= 33


def test_an_auditor_reads_who_was_in_production_and_what_is_missed(system, workspace, tmp_path):
    space = Workspace(shutil.copytree(workspace.root, tmp_path / "w"))
    with Registry.open(space, actor="bea") as registry:
        registry.lifecycle.transition("v2", "Staging", reason="once more")
        registry.lifecycle.transition("v2", "Canary", reason="gates passed")
        registry.lifecycle.transition("v2", "Production", reason="better by 2 %")
        changes = registry.lifecycle.history("parcels")
    evidence = msgspec.json.decode(space.evidence.read_bytes().splitlines()[0])
    broken = evidence | {"requirement": "SEC-1", "value": False, "method": "called without TLS: it answered"}
    space.evidence.write_bytes(space.evidence.read_bytes() + msgspec.json.encode(broken) + b"\n")
    for executive in (False, True):
        found = compose(system, space, executive=executive).document
        tables = {b.caption: b.rows for s in found.sections for b in s.blocks if isinstance(b, Table)}
        now, before = tables["Newest 2 of 2 periods in production (UTC)"]
        assert (now[1], now[2], now[3], now[5]) == ("**now**", "**v2**", "bea", "better by 2 %")
        assert (before[1], before[2], before[5]) == (now[0], "**v1**", "first version")
        assert before[0] == f"{next(c.at for c in changes if c.to_stage == 'Production'):%Y-%m-%d %H:%M:%S}"
        (row,) = tables["Requirements below their threshold"]
        assert row[0].startswith("**SEC-1**")
        assert row[3] == "called without TLS: it answered"
    phases = next(b for s in found.sections if s.anchor == "phases" for b in s.blocks if isinstance(b, Table))
    assert ["{{met}}" in row[0] for row in phases.rows] == [False, True, False, False, False, False]
    assert "{{under way}}" in phases.rows[3][0]  # a version answers, which is not yet a week of agreement


def test_the_markdown_carries_every_drawing(files, system, workspace):
    text = next(file for file in files if file.name == f"{NAME}.md").read_text(encoding="utf-8")
    drawn = [b for s in compose(system, workspace).document.sections for b in s.blocks if isinstance(b, Diagram)]
    assert text.count("```mermaid") == len(drawn) >= 7
    for block in drawn:
        assert block.source in text


def test_tables_have_as_many_cells_as_columns(files):
    text = next(file for file in files if file.name == f"{NAME}.md").read_text(encoding="utf-8")
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block[:200]


def test_the_executive_variant_is_about_forty_percent(system, workspace):
    whole = compose(system, workspace)
    short = compose(system, workspace, executive=True)
    sizes = [
        sum(len(text) for section in one.document.sections[:-1] for block in section.blocks for text in texts(block))
        for one in (whole, short)
    ]
    assert 0.2 < sizes[1] / sizes[0] < 0.55
    assert {"S1", "S2", "S5"} <= {section.label for section in short.document.sections}
    assert short.packet == whole.packet


def test_spanish_says_what_is_missing_in_spanish(system, workspace, tmp_path):
    text = document(system, workspace, tmp_path, fmt="markdown", lang="es")[0].read_text(encoding="utf-8")
    assert "[Requiere instrumentación]" in text
    assert "[Needs instrumentation]" not in text
    assert "## S1 Canalización de desarrollo" in text
    assert "Linaje de parcels:v1" in text
    assert "topología híbrida" in text


def test_before_anything_exists_the_document_asks_instead_of_inventing(tmp_path):
    files = document(Plan(system="new-thing"), None, tmp_path)
    html = files[0].read_text(encoding="utf-8")
    assert "[Needs input: " in html
    assert "greenfield" in html
    packet = msgspec.json.decode((tmp_path / "architecture.json").read_bytes())
    assert packet["system"]["mode"] == "greenfield"
    assert packet["validation"]["status"] == "warn"


@pytest.mark.parametrize("wrong", [{"fmt": "pdf"}, {"variant": "long"}, {"lang": "fr"}])
def test_an_unknown_choice_is_a_usage_error(system, tmp_path, wrong):
    with pytest.raises(UsageError, match=next(iter(wrong.values()))):
        document(system, None, tmp_path, **wrong)


def test_a_folder_that_cannot_be_written_is_named(system, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(WorkspaceError, match="file"):
        document(system, None, blocked / "out")


def test_another_theme_replaces_the_tokens_and_nothing_else(system, folder, tmp_path):
    home = tmp_path / "repo"
    home.mkdir()
    (home / "theme.css").write_text(":root { --brand: #402060; }")
    html = document(system, None, tmp_path / "out", fmt="html", repo=home)[0].read_text(encoding="utf-8")
    assert "--brand: #402060" in html
    assert "--brand: #12305e" not in html
