"""The console's requests: pages to look at, and three things a person may do about a version, each with proof.

A change needs a session (begun with a key, kept in a cookie that no script and no other site can use), the word that
only a form of this session carries, and the right at the registry, which asks for the key again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, quote, urlsplit

from bluegold.console.attempts import Attempts
from bluegold.console.forms import LARGEST, Form, read_form
from bluegold.console.render import render, render_problem, render_sign_in, render_trace, render_version
from bluegold.console.sessions import LONGEST_S, Session, Sessions
from bluegold.console.trace_view import look_at_trace
from bluegold.console.version_view import look_at_version
from bluegold.console.view import look
from bluegold.core.errors import AccessDenied, BluegoldError, UnknownVersion, UsageError
from bluegold.core.workspace import Workspace
from bluegold.registry.registry import Registry

__all__ = ["Handler"]

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_NAMES = {"127.0.0.1", "localhost", "[::1]"}
_COOKIE = "bluegold"
_DONE = {"comment": "Your comment is kept.", "approve": "You approved it.", "reject": "You refused it."}


class Handler(BaseHTTPRequestHandler):
    """One request; the server makes a class of its own with these three set."""

    workspace: Workspace
    sessions: Sessions
    attempts: Attempts
    timeout = 10
    server_version, sys_version = "bluegold", ""
    token = ""
    session: Session | None = None

    def do_GET(self) -> None:
        """A page."""
        pages: dict[str, Callable[[dict[str, str]], None]] = {
            "/": self._overview,
            "/version": self._version,
            "/trace": self._trace,
            "/evidence": self._evidence,
            "/sign-in": self._sign_in,
        }
        self._answer(pages, "there is no such page; the first one is /")

    def do_POST(self) -> None:
        """A form."""
        forms: dict[str, Callable[[dict[str, str]], None]] = {
            "/sign-in": self._signed_in,
            "/sign-out": self._signed_out,
            "/version": self._decided,
        }
        self._answer(forms, "nothing is taken here")

    def log_message(self, *_: object) -> None:
        """Looking is not an event; what changes is in the audit chain."""

    def _answer(self, places: dict[str, Callable[[dict[str, str]], None]], nothing: str) -> None:
        url = urlsplit(self.path)
        name = self.headers.get("host", "").rsplit(":", 1)[0]
        if name not in _NAMES:  # a foreign name that resolves to this machine must not read the page
            self._send(403, f"this console answers at 127.0.0.1, not at {name[:100]!r}\n", "text/plain")
            return
        place = places.get(url.path)
        if place is None:
            self._send(404, f"{nothing}\n", "text/plain")
            return
        try:
            self.token = self._cookie()
            self.session = self.sessions.find(self.token) if self.token else None
            place({name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()})
        except BluegoldError as error:
            status = next((code for kind, code in _STATUS if isinstance(error, kind)), 503)
            status = 400 if status == 404 and self.command == "POST" else status
            self._send(status, render_problem(error, self.session))

    def _overview(self, query: dict[str, str]) -> None:
        refresh = query.get("refresh", "5")
        seconds = int(refresh) if refresh.isdecimal() and len(refresh) < 5 else 5
        self._send(200, render(look(self.workspace, query.get("model", "")), seconds, self.session))

    def _version(self, query: dict[str, str]) -> None:
        if self._known():
            page = look_at_version(
                self.workspace, query.get("ref", ""), self.session.identity if self.session else None
            )
            said = _DONE.get(query.get("done", ""), "")
            self._send(200, render_version(page, self.session, users=self.sessions.needed, said=said))

    def _trace(self, query: dict[str, str]) -> None:
        if self._known():
            if self.session is not None and not self.session.identity.may("decisions"):
                roles = ", ".join(self.session.identity.roles)
                raise AccessDenied("recorded decisions are not yours to read", why=f"you are {roles}")
            asked, row = query.get("id", "").strip()[:300], query.get("row", "")[:4000]
            self._send(200, render_trace(look_at_trace(self.workspace, asked, row), self.session))

    def _evidence(self, query: dict[str, str]) -> None:
        """A file that somebody left beside a comment; it is handed over, never shown."""
        if not self._known():
            return
        reference = query.get("file", "")
        with Registry.open(self.workspace) as registry:
            ref = registry.versions.get(query.get("ref", "")).ref
            kept = {name for review in registry.reviews.list(ref) for name in review.evidence}
            kept |= {name for approval in registry.approvals.list(ref) for name in approval.evidence}
            if reference not in kept:
                raise UsageError("this version has no such evidence", way_out="go back to its page")
            content = registry.reviews.attachment(reference)
        name = quote(reference.partition(":")[2].rpartition(":")[0], safe="")
        disposition = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
        self._send(200, content, "application/octet-stream", disposition)

    def _sign_in(self, query: dict[str, str]) -> None:
        self._send(200, render_sign_in(query.get("then", "")[:500], users=self.sessions.needed))

    def _signed_in(self, _: dict[str, str]) -> None:
        form = self._form(16_384)
        key, then = form.fields.get("key", "").strip(), form.fields.get("then", "")[:500]
        address = self.address_string()
        if wait := math.ceil(self.attempts.begin(address, key)):
            problem = f"Too many keys were not accepted: try again in {wait} seconds."
            page = render_sign_in(then, users=self.sessions.needed, problem=problem)
            self._send(429, page, more={"retry-after": str(wait)})
            return
        token = self.sessions.begin(key)
        if token is None:
            self._refused(address, key)
            problem = "The key is not accepted: unknown, revoked or expired."
            self._send(403, render_sign_in(then, users=self.sessions.needed, problem=problem))
            return
        self.attempts.held(address, key)
        self.sessions.end(self.token)
        cookie = f"{_COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={LONGEST_S:.0f}"
        self._go(then if then.startswith("/") and not then.startswith(("//", "/\\")) else "/", cookie)

    def _refused(self, address: str, key: str) -> None:
        """Record what looks like guessing."""
        said = self.attempts.failed(address, key)
        if said and self.sessions.needed:
            with Registry.open(self.workspace, actor="automatic:console") as registry:
                for whom, count in said:
                    registry.audit.append("", "sign-in refused", whom, f"{count} attempts", {"address": address})

    def _signed_out(self, _: dict[str, str]) -> None:
        self._own(self._form(16_384))
        self.sessions.end(self.token)
        self._go("/", f"{_COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")

    def _decided(self, _: dict[str, str]) -> None:
        """A comment, a consent or a refusal, with its files."""
        form = self._form(LARGEST)
        session = self._own(form)
        ref, says, comment = (form.fields.get(name, "") for name in ("ref", "says", "comment"))
        with Registry.open(self.workspace, actor=session.identity.name, key=session.key) as registry:
            version = registry.versions.verified(ref)
            if version.digest != form.fields.get("digest", ""):
                raise UsageError("this is not the version that the page showed", way_out="look at it again")
            registry.access.require(registry.actor, "review" if says == "comment" else "approve")
            files = tuple(registry.reviews.attach(name, content) for name, content in form.files)
            if says == "approve":
                registry.approvals.approve(version.ref, comment=comment, evidence=files)
            elif says == "reject":
                registry.reviews.add(version.ref, comment, "reject", evidence=files)
            elif says == "comment":
                registry.reviews.add(version.ref, comment, evidence=files)
            else:
                raise UsageError("nothing was said", way_out="choose comment, approve or refuse")
        self._go(f"/version?ref={quote(version.ref)}&done={says}")

    def _known(self) -> bool:
        """Whether whoever asks may see more than the first page; otherwise they are asked to sign in."""
        if self.session is None and self.sessions.needed:
            self._go(f"/sign-in?then={quote(self.path, safe='')}")
            return False
        return True

    def _own(self, form: Form) -> Session:
        """The session whose form it is.

        Raises:
            AccessDenied: nobody signed in, or the form is not of this session.
        """
        if self.session is None or not self.session.holds(form.fields.get("form", "")):
            raise AccessDenied("you are not signed in, or your session ended", way_out="sign in and do it again")
        return self.session

    def _form(self, largest: int) -> Form:
        origin = self.headers.get("origin", "")
        if origin and origin != f"http://{self.headers.get('host', '')}":
            raise AccessDenied("this form was sent from another page", way_out="use the console's own")
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > largest:
            raise UsageError(f"the form is larger than {largest:,} bytes, or of no length", way_out="send less")
        return read_form(self.headers.get("content-type", ""), self.rfile.read(int(length)))

    def _cookie(self) -> str:
        try:
            found = SimpleCookie(self.headers.get("cookie", "")).get(_COOKIE)
        except CookieError:
            return ""
        return found.value if found is not None else ""

    def _go(self, where: str, cookie: str = "") -> None:
        self.send_response(303)
        self.send_header("location", where.replace("\r", "").replace("\n", ""))
        if cookie:
            self.send_header("set-cookie", cookie)
        self._end(b"", "text/plain")

    def _send(
        self, status: int, body: str | bytes, kind: str = "text/html", more: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self._end(body.encode() if isinstance(body, str) else body, kind)

    def _end(self, body: bytes, kind: str) -> None:
        plain = kind == "application/octet-stream"
        for header, value in {**_HEADERS, "content-type": kind if plain else f"{kind}; charset=utf-8"}.items():
            self.send_header(header, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


_STATUS: tuple[tuple[type[BluegoldError], int], ...] = ((AccessDenied, 403), (UnknownVersion, 404), (UsageError, 404))
