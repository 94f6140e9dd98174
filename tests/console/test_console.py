"""The console: a real server over a real workspace; one page, nothing foreign, safe against what versions say."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from bluegold.console.__main__ import serve
from bluegold.core.errors import ServingError
from bluegold.core.nouns import GateReport, Lineage, now
from bluegold.core.workspace import Workspace
from bluegold.registry.registry import Registry

REASON = "<script>alert(1)</script> & accuracy 0.84 is below 0.88"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    space = Workspace.create(tmp_path_factory.mktemp("console") / "w")
    with Registry.open(space, actor="automatic:test") as registry:
        for number in range(2):
            lineage = Lineage(code="c", data="d", features="f", parameters={"n": number}, environment="e", seeds={})
            registry.versions.register("parcels", {"decision.json": b"{}"}, lineage, {"accuracy": 0.91}, author="ada")
        for stage in ("Staging", "Canary", "Production"):
            registry.lifecycle.transition("parcels:v1", stage, reason="test")
        registry.gates.record(
            GateReport(
                gate="1 model",
                candidate="parcels:v2",
                verdict="fail",
                measures=(),
                reason=REASON,
                seconds=0.1,
                at=now(),
            )
        )
    return space


@pytest.fixture(scope="module")
def url(workspace: Workspace) -> Iterator[str]:
    server = serve(workspace, 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
    thread.join()


class Outline(HTMLParser):
    """Collects what an assistive device would look for."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_the_page_says_who_is_in_production_and_why_a_candidate_was_refused(url: str) -> None:
    response = httpx.get(url)
    assert response.status_code == 200
    text = response.text
    assert "parcels" in text
    assert "Production" in text
    assert "accuracy 0.84 is below 0.88" in text
    assert "AP-10" in text
    assert "No server runs" in text


def test_the_page_needs_nothing_from_elsewhere_and_runs_no_script(url: str) -> None:
    response = httpx.get(url)
    outline = Outline()
    outline.feed(response.text)
    assert not {"script", "img", "link", "iframe", "object"} & set(outline.tags)
    assert "<script>alert" not in response.text
    assert [value for name, value in outline.attributes if name in {"src", "href"} and "//" in str(value)] == []
    assert "url(" not in response.text
    assert response.headers["content-security-policy"].startswith("default-src 'none'")


def test_the_page_can_be_read_without_eyes(url: str) -> None:
    outline = Outline()
    outline.feed(httpx.get(url).text)
    assert {"header", "main", "footer", "nav", "h1", "h2", "th"} <= set(outline.tags)
    assert outline.tags.count("h1") == 1
    assert ("lang", "en") in outline.attributes
    ids = {value for name, value in outline.attributes if name == "id"}
    assert {value for name, value in outline.attributes if name == "aria-labelledby"} <= ids


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(one * 2 for one in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_have_enough_contrast(theme: int) -> None:
    """WCAG AA: 4.5 to 1 for every text colour on the ground it is used on."""
    style = (Path(__file__).parents[2] / "src/bluegold/console/style.css").read_text()
    tokens = dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{3,6})", re.findall(r":root \{([^}]*)\}", style)[theme]))
    pairs = [
        (ink, ground) for ink in ("ink", "dim", "blue", "gold", "good", "bad", "warn") for ground in ("card", "ground")
    ]
    pairs += [(name, f"{name}-soft") for name in ("blue", "gold", "good", "bad", "warn")]
    pairs += [("on-blue", "blue"), ("on-gold", "gold-fill")]
    for ink, ground in pairs:
        light, dark = sorted((luminance(tokens[ink]), luminance(tokens[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


def test_wrong_questions_get_clear_answers(url: str) -> None:
    assert httpx.get(url + "other").status_code == 404
    assert httpx.get(url, params={"model": "zz"}).status_code == 404
    assert httpx.get(url, params={"refresh": "9" * 99}).status_code == 200
    assert httpx.post(url).status_code == 404
    assert httpx.put(url).status_code == 501
    assert httpx.get(url, headers={"host": "evil.example"}).status_code == 403
    assert 'http-equiv="refresh"' not in httpx.get(url, params={"refresh": "0"}).text


def test_an_empty_workspace_has_a_page_too(tmp_path: Path) -> None:
    space = Workspace.create(tmp_path / "w")
    Registry.open(space, actor="ada").close()
    server = serve(space, 0)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    assert "Nothing is registered yet" in httpx.get(f"http://127.0.0.1:{server.server_address[1]}/").text
    thread.join()
    server.server_close()


def test_a_taken_port_is_said_clearly(workspace: Workspace) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ServingError, match="cannot be used"):
            serve(workspace, taken.getsockname()[1])


def test_a_missing_workspace_ends_with_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bluegold.console", "--workspace", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "there is no workspace" in done.stderr
