"""People at the console: who may say what about a version, proved by a key, and nothing from any other page."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import html5lib
import httpx
import msgspec
import pytest

from bluegold.console.__main__ import serve
from bluegold.console.attempts import FORGOTTEN_S, Attempts
from bluegold.console.sessions import IDLE_S, LONGEST_S, Sessions
from bluegold.core.nouns import Lineage
from bluegold.core.plan import Governance, Plan
from bluegold.core.workspace import Workspace
from bluegold.registry.registry import Registry
from bluegold.security.access import Role
from bluegold.security.identities import Identities

PLAN = msgspec.json.encode(Plan(system="m", regulated=True, governance=Governance(approval="human", approvals=1)))
PEOPLE: dict[str, tuple[Role, ...]] = {
    "val": ("validator",),
    "com": ("compliance officer",),
    "ada": ("validator",),
    "dev": ("developer",),
    "rita": ("reader",),
}
NASTY = '<script>alert("x")</script>'


class World(NamedTuple):
    space: Workspace
    url: str
    keys: dict[str, str]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A workspace with a version that needs an approval, and people with keys."""
    space, keys = Workspace.create(tmp_path_factory.mktemp("people") / "w"), {}
    lineage = Lineage(code="c", data="d", features="f", parameters={}, environment="e", seeds={})
    with Registry.open(space, actor="sue") as registry:
        registry.versions.register("m", {"plan.json": PLAN}, lineage, {"accuracy": 0.9}, author="ada")
        _, keys["sue"] = registry.users.add("sue", ("security officer",))
    with Registry.open(space, actor="sue", key=keys["sue"]) as registry:
        for name, roles in PEOPLE.items():
            _, keys[name] = registry.users.add(name, roles)
    return space.root, keys


@pytest.fixture
def world(template: tuple[Path, dict[str, str]], tmp_path: Path) -> Iterator[World]:
    root, keys = template
    shutil.copytree(root, tmp_path / "w")
    space = Workspace.open(tmp_path / "w")
    server = serve(space, 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield World(space, f"http://127.0.0.1:{server.server_address[1]}", keys)
    server.shutdown()
    server.server_close()
    thread.join()


@contextlib.contextmanager
def signed_in(world: World, name: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=world.url, timeout=60) as client:
        answer = client.post("/sign-in", data={"key": world.keys[name], "then": "/version?ref=m:v1"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/version?ref=m:v1")
        yield client


def form(client: httpx.Client) -> dict[str, str]:
    """The hidden fields of the form on the version's page."""
    page = client.get("/version", params={"ref": "m:v1"}).text
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    return {name: found[name] for name in ("form", "ref", "digest")}


def announced(world: World, length: str) -> int:
    """The answer to a form of which only the length was sent."""
    connection = http.client.HTTPConnection(world.url.removeprefix("http://"), timeout=60)
    connection.putrequest("POST", "/version")
    connection.putheader("content-length", length)
    connection.endheaders()
    with contextlib.closing(connection):
        return connection.getresponse().status


def standing(world: World) -> str:
    with Registry.open(world.space) as registry:
        return registry.approvals.standing("m:v1").missing


def test_a_review_with_evidence_and_an_approval_in_the_browser(world: World) -> None:
    with signed_in(world, "com") as client:
        content = bytes(range(256)) * 3 + b"\r\n--x\r\n"
        files = [("files", (f"../{NASTY}.csv", content, "text/csv")), ("files", ("", b""))]
        answer = client.post("/version", data={**form(client), "says": "reject", "comment": NASTY}, files=files)
        assert (answer.status_code, answer.headers["location"]) == (303, "/version?ref=m%3Av1&done=reject")
        assert "com said no" in standing(world)
        page = client.get(answer.headers["location"]).text
        assert "You refused it." in page
        assert NASTY not in page
        assert "&lt;script&gt;" in page
        place = re.findall(r'href="(/evidence[^"]+)"', page)[0].replace("&amp;", "&")
        kept = client.get(place)
        assert kept.content == content
        assert kept.headers["content-disposition"].startswith("attachment;")
        assert client.get("/evidence?ref=m:v1&file=file:x:" + "0" * 64).status_code == 404
    with signed_in(world, "val") as client:
        client.post("/version", data={**form(client), "says": "comment", "comment": "I looked"})
    with signed_in(world, "com") as client:
        client.post("/version", data={**form(client), "says": "approve", "comment": "explained"})
    assert standing(world) == ""
    with Registry.open(world.space) as registry:
        assert [(one.actor, one.says) for one in registry.reviews.list("m:v1")] == [
            ("com", "reject"),
            ("val", "comment"),
        ]
        assert [(one.actor, one.roles) for one in registry.approvals.list("m:v1")] == [("com", ("compliance officer",))]
        assert registry.audit.verify().ok


@pytest.mark.parametrize(
    ("name", "says", "why"),
    [
        ("ada", "approve", "author is the same person"),
        ("dev", "approve", "may not approve"),
        ("dev", "reject", "may not approve"),
        ("rita", "comment", "may not review"),
    ],
)
def test_the_four_eyes_and_the_roles_hold_behind_the_page_and_are_shown_on_it(
    world: World, name: str, says: str, why: str
) -> None:
    with signed_in(world, name) as client:
        page = client.get("/version", params={"ref": "m:v1"}).text
        button = re.findall(rf'<button name="says" value="{says}"[^>]*>', page)[0]
        assert " disabled" in button
        assert "somebody else must decide" in page or "that is for others" in page
        answer = client.post("/version", data={**form(client), "says": says, "comment": "yes"})
        assert (answer.status_code, why in answer.text) == (403, True)
    with Registry.open(world.space) as registry:
        assert (registry.reviews.list("m:v1"), registry.approvals.list("m:v1")) == ((), ())


def test_a_form_of_another_page_or_session_changes_nothing(world: World) -> None:
    with signed_in(world, "val") as client, signed_in(world, "com") as other:
        good = {**form(client), "says": "approve", "comment": "yes"}
        assert client.post("/version", data={**good, "form": ""}).status_code == 403
        assert client.post("/version", data={**good, "form": form(other)["form"]}).status_code == 403
        assert client.post("/version", data=good, headers={"origin": "http://evil.example"}).status_code == 403
        assert client.post("/version", data=good, headers={"origin": "null"}).status_code == 403
        assert client.post("/version", data={**good, "digest": "0" * 64}).status_code == 400
        assert client.post("/version", data={**good, "says": "promote"}).status_code == 400
        assert client.post("/version", content=b"{}", headers={"content-type": "application/json"}).status_code == 400
        assert client.post("/version", content=b"--x", headers={"content-type": "multipart/form-data; boundary=x"})
        assert announced(world, "99999999999") == announced(world, "-1") == announced(world, "many") == 400
        assert httpx.post(f"{world.url}/version", data=good, timeout=60).status_code == 403
        assert client.post("/sign-out", data={"form": "guessed"}).status_code == 403
        assert "its plan asks for" in standing(world)
        assert client.post("/version", data=good, headers={"origin": world.url}).status_code == 303
    assert standing(world) == ""


def test_a_session_is_a_cookie_that_only_this_page_gets_and_ends_with_its_key(world: World) -> None:
    bad = httpx.post(f"{world.url}/sign-in", data={"key": "bg_1_2", "then": "//evil.example"}, timeout=60)
    assert (bad.status_code, "not accepted" in bad.text, "set-cookie" in bad.headers) == (403, True, False)
    away = httpx.post(f"{world.url}/sign-in", data={"key": world.keys["val"], "then": "//evil.example"}, timeout=60)
    cookie = away.headers["set-cookie"]
    assert away.headers["location"] == "/"
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert world.keys["val"] not in cookie
    with signed_in(world, "val") as client:
        assert client.get("/trace").status_code == 200
        with Registry.open(world.space, actor="sue", key=world.keys["sue"]) as registry:
            registry.users.revoke("val")
        gone = client.get("/trace")
    assert (gone.status_code, gone.headers["location"]) == (303, "/sign-in?then=%2Ftrace")
    with signed_in(world, "com") as other:
        other.post("/sign-out", data={"form": form(other)["form"]})
        assert other.get("/trace").status_code == 303


def test_whoever_gives_wrong_keys_again_and_again_waits_and_is_recorded(world: World) -> None:
    wrong = {"key": world.keys["val"][:-1] + ("0" if world.keys["val"][-1] != "0" else "1")}
    answers = [httpx.post(f"{world.url}/sign-in", data=wrong, timeout=60) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [403] * 5
    while answers[-1].status_code == 403:  # each one waits twice as long: a slow machine needs a few more
        answers.append(httpx.post(f"{world.url}/sign-in", data=wrong, timeout=60))
    late = answers[-1]
    assert (late.status_code, late.headers["retry-after"].isdecimal()) == (429, True)
    assert f"try again in {late.headers['retry-after']} seconds" in late.text
    with signed_in(world, "com") as other:  # another user of the same address is not kept out
        assert other.get("/version", params={"ref": "m:v1"}).status_code == 200
    with Registry.open(world.space) as registry:
        rows = [one for one in registry.audit.events(limit=1000) if one.action == "sign-in refused"]
        assert (rows[0].who, rows[0].subject, rows[0].outcome) == ("automatic:console", "user val", "5 attempts")
        assert rows[0].details == {"address": "127.0.0.1"}
        assert registry.audit.verify().ok


def test_attempts_are_counted_before_they_are_made_and_in_a_bounded_memory(world: World) -> None:
    clock = [0.0]
    attempts = Attempts(Identities.open(world.space), lambda: clock[0])
    key = world.keys["val"]
    assert [attempts.begin("a", key) for _ in range(5)] == [0.0] * 5
    waits = []
    for _ in range(11):
        waits.append(attempts.begin("b", key))  # from elsewhere too
        clock[0] += waits[-1]
        assert attempts.begin("c", key) == 0.0
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0]
    assert attempts.begin("d", key) == 300.0
    for number in range(3_000):  # strangers fill no memory, and push nobody out of it
        attempts.begin(f"address {number}", "bg_none_none")
    assert sum(len(marks) for marks in attempts._marks.values()) <= 1025
    assert attempts.begin("d", key) == 300.0
    attempts.held("d", key)
    assert [attempts.begin("d", key) for _ in range(6)] == [0.0] * 5 + [1.0]
    clock[0] += FORGOTTEN_S + 2
    assert [attempts.begin("d", key) for _ in range(4)] == [0.0] * 4


def test_sessions_end_by_themselves(world: World) -> None:
    clock = [0.0]
    sessions = Sessions(Identities.open(world.space), lambda: clock[0])
    token = sessions.begin(world.keys["val"])
    assert token is not None
    for _ in range(int(LONGEST_S / (IDLE_S - 1)) - 1):
        clock[0] += IDLE_S - 1
        assert sessions.find(token) is not None
    clock[0] = LONGEST_S + 1
    assert sessions.find(token) is None
    again = sessions.begin(world.keys["val"])
    assert again is not None
    clock[0] += IDLE_S + 1
    assert sessions.find(again) is None


def test_who_may_not_read_decisions_traces_none(world: World) -> None:
    assert httpx.get(f"{world.url}/version?ref=m:v1", timeout=60).headers["location"].startswith("/sign-in?then=%2Fver")
    with signed_in(world, "rita") as client:
        assert client.get("/trace", params={"id": "m:v1"}).status_code == 403
    with signed_in(world, "dev") as client:
        assert "m:v1" in client.get("/trace", params={"id": "m:v1"}).text
        assert "reads no files" in client.get("/trace", params={"row": "/etc/passwd:1"}).text
        assert client.get("/trace", params={"id": "9-9-9"}).status_code == 404
        assert client.get("/trace", params={"id": "m:v1", "row": "3"}).status_code == 503
        assert "came of it" in client.get("/trace", params={"id": "data:d"}).text
        assert client.get("/version", params={"ref": "m:v7"}).status_code == 404


class Names(HTMLParser):
    """Which controls a page has, and which labels."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.wanted: set[str] = set()
        self.controls: list[dict[str, str | None]] = []
        self.headings = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [str(found["id"])] if "id" in found else []
        self.wanted |= {str(found[name]) for name in ("for", "aria-labelledby", "aria-describedby") if name in found}
        self.headings += tag == "h1"
        if tag in {"input", "textarea"} and found.get("type") != "hidden":
            self.controls.append(found)


@pytest.mark.parametrize("path", ["/", "/sign-in", "/version?ref=m:v1", "/trace?id=m:v1", "/trace?id=none"])
def test_every_page_can_be_used_without_eyes_and_loads_nothing(world: World, path: str) -> None:
    with signed_in(world, "dev") as client:
        answer = client.get(path)
    html5lib.HTMLParser(strict=True).parse(answer.text)
    names = Names()
    names.feed(answer.text)
    assert names.headings == 1
    assert len(names.ids) == len(set(names.ids))
    assert names.wanted <= set(names.ids)
    assert all(control.get("id") in names.wanted for control in names.controls)
    assert not re.search(r"<script|<img|<link|url\(|src=", answer.text)
    assert "form-action 'self'" in answer.headers["content-security-policy"]
    assert (
        answer.headers["cross-origin-opener-policy"] == answer.headers["cross-origin-resource-policy"] == "same-origin"
    )
    assert "Python" not in answer.headers["server"]


def test_without_users_everything_is_shown_and_nothing_changed(tmp_path: Path) -> None:
    space = Workspace.create(tmp_path / "w")
    lineage = Lineage(code="c", data="d", features="f", parameters={}, environment="e", seeds={})
    with Registry.open(space, actor="ada") as registry:
        registry.versions.register("m", {"plan.json": PLAN}, lineage, {}, author="ada")
    server = serve(space, 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        page = httpx.get(f"{url}/version?ref=v1", timeout=60)
        assert page.status_code == 200
        assert "This workspace has no users" in page.text
        assert "<button" not in page.text
        denied = httpx.post(f"{url}/version", data={"ref": "m:v1", "says": "approve", "form": ""}, timeout=60)
        assert denied.status_code == 403
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
