"""Every form of a document is valid: HTML by the rules of browsers, links by their ends, diagrams by their grammar."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import html5lib
import pytest

from bluegold.core.plan import Plan
from bluegold.design.document import NAME, document

HERE = Path(__file__).parent
BASES = runpy.run_path(str(HERE / "repositories.py"))
faults = runpy.run_path(str(HERE / "mermaid.py"))["faults"]
DIAGRAM = re.compile(r"```mermaid\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def bikes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(BASES["grow"](BASES["BIKES"], tmp_path_factory.mktemp("bikes")))


@pytest.mark.parametrize("lang", ["en", "es"])
@pytest.mark.parametrize("variant", ["technical", "executive"])
def test_html_links_and_diagrams_are_valid(
    bikes: Path, system: object, workspace: object, tmp_path: Path, lang: str, variant: str
) -> None:
    document(Plan(system="bikes"), None, tmp_path / "base", variant=variant, lang=lang, repo=bikes)
    document(system, workspace, tmp_path / "system", variant=variant, lang=lang)  # type: ignore[arg-type]
    document(Plan(system="empty"), None, tmp_path / "none", variant=variant, lang=lang)
    pages = sorted(tmp_path.rglob(f"{NAME}*.html"))
    assert len(pages) == 3
    for page in pages:
        parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
        tree = parser.parse(page.read_text(encoding="utf-8"))  # raises at the first fault
        ids = [one.attrib["id"] for one in tree.iter() if "id" in one.attrib]
        assert len(ids) == len(set(ids))
        assert {one.attrib["href"].removeprefix("#") for one in tree.iter("a")} <= set(ids)
    texts = [path.read_text(encoding="utf-8") for path in sorted(tmp_path.rglob("*.md"))]
    drawn = [source for text in texts for source in DIAGRAM.findall(text)]
    drawn += [path.read_text(encoding="utf-8") for path in sorted(tmp_path.rglob("*.mmd"))]
    assert len(drawn) > 12
    assert {source: found for source in drawn if (found := faults(source))} == {}


def test_links_of_the_text_lead_to_its_anchors(bikes: Path, tmp_path: Path) -> None:
    files = document(Plan(system="bikes"), None, tmp_path, fmt="markdown", repo=bikes)
    text = files[0].read_text(encoding="utf-8")
    asked = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert asked
    assert asked <= set(re.findall(r'<a id="([^"]+)"', text)) | {
        re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize(
    "source",
    [
        'flowchart LR\n  a["x"] --> b',
        'flowchart LR\n  a["x"]:::gold',
        'flowchart LR\n  subgraph s["x"]\n  a["y"]',
        'flowchart LR\n  a["say "no""]',
        "flowchart LR\n  a[x]",
        "sequenceDiagram\n  participant U as user\n  U->>W: ask",
        "sequenceDiagram\n  participant U as user\n  participant W as worker\n  U->>W: ask; then wait",
        "stateDiagram-v2\n  A -> B",
        "stateDiagram-v2\n  A --> B\n  class A blue",
        "graph LR\n  a --> b",
    ],
)
def test_the_grammar_finds_faults(source: str) -> None:
    assert faults(source)
