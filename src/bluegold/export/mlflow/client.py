"""The few calls of MLflow's REST interface that mirroring and importing need.

Source: MLflow REST API 2.0 (registered models, model versions, runs, experiments, artifacts).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, cast
from urllib.parse import urlsplit

from bluegold.core.errors import StoreError, UsageError

try:
    import httpx
except ImportError as error:  # the extra is not installed
    raise UsageError(
        "an MLflow server cannot be reached", why="httpx is not installed", way_out="pip install 'bluegold[mlflow]'"
    ) from error

__all__ = ["Client", "Json", "Missing", "pairs_of", "short", "tags_of"]

TIMEOUT_S = 30.0
LARGEST = 32 * 1024 * 1024
MOST_PAGES = 1_000
Json = dict[str, Any]


class Missing(StoreError):
    """The server knows nothing of that name."""


class Client:
    """Talks to one tracking server; redirects are not followed, answers are bounded.

    Args:
        uri: ``http://`` or ``https://`` address of the server.
        token: sent as a bearer token when it is not empty; it is never shown.

    Raises:
        UsageError: the address is none of a server.
    """

    def __init__(self, uri: str, token: str = "") -> None:
        parts = urlsplit(uri)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
            raise UsageError(
                f"'{parts._replace(netloc=parts.hostname or '').geturl()}' is no address of a tracking server",
                why="it has to be http:// or https:// and hold no password",
                way_out="give --tracking-uri http://host:5000, and a token in MLFLOW_TRACKING_TOKEN",
            )
        self.uri = uri.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=self.uri, headers=headers, timeout=TIMEOUT_S, follow_redirects=False)

    def get(self, path: str, /, **query: Any) -> Json:
        """What the server says to a question.

        Raises:
            Missing: there is no such thing.
            StoreError: the server does not answer, or refuses.
        """
        return self._asked("GET", path, params=query)

    def post(self, path: str, method: str = "POST", /, **body: Any) -> Json:
        """What the server says to a change; raises as :meth:`get`."""
        return self._asked(method, path, json=body)

    def pages(self, path: str, key: str, /, **query: Any) -> Iterator[Json]:
        """Everything a search finds, page by page; raises as :meth:`get`."""
        token = ""
        for _ in range(MOST_PAGES):
            found = self.get(path, **query, **({"page_token": token} if token else {}))
            yield from cast("list[Json]", found.get(key, []))
            token = str(found.get("next_page_token", ""))
            if not token:
                return

    def file(self, run: str, path: str) -> bytes:
        """A small artefact of a run as bytes; it is only read.

        Raises:
            Missing: the server does not give it.
            StoreError: the server does not answer.
        """
        answer = self._sent("GET", "/get-artifact", params={"run_uuid": run, "path": path})
        if answer.status_code != httpx.codes.OK:
            raise Missing(f"'{path}' of run {run} is not given by the server", way_out="look for it where it is stored")
        return answer.content

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _asked(self, method: str, path: str, **sent: Any) -> Json:
        answer = self._sent(method, f"/api/2.0/mlflow/{path}", **sent)
        try:
            said = answer.json()
        except ValueError:
            said = None
        if answer.status_code == httpx.codes.OK and isinstance(said, dict):
            return said
        raise self._refused(path, answer.status_code, said if isinstance(said, dict) else {})

    def _sent(self, method: str, path: str, **sent: Any) -> httpx.Response:
        try:
            with self._http.stream(method, path, **sent) as answer:
                body = bytearray()
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > LARGEST:
                        raise StoreError(
                            f"the answer of {self.uri} is larger than {LARGEST // 2**20} MB",
                            way_out="ask for less, or look whether this is a tracking server",
                        )
                return httpx.Response(answer.status_code, content=bytes(body))
        except httpx.HTTPError as error:
            raise StoreError(
                f"the tracking server {self.uri} does not answer",
                why=f"{type(error).__name__}: {error}"[:200],
                way_out="look whether it runs and --tracking-uri is right; a second run goes on where this ended",
            ) from error

    def _refused(self, path: str, status: int, said: Mapping[str, Any]) -> StoreError:
        code, message = str(said.get("error_code", "")), " ".join(str(said.get("message", "")).split())[:300]
        if code == "RESOURCE_DOES_NOT_EXIST":
            return Missing(message or f"{path}: there is no such thing", way_out="look for its name on the server")
        if status in {401, 403}:
            return StoreError(
                f"the tracking server {self.uri} refuses the caller ({status})",
                way_out="give a token that may do this in MLFLOW_TRACKING_TOKEN",
            )
        why = f"{code}: {message}" if code else f"status {status} from {path}"
        return StoreError(
            f"the tracking server {self.uri} refuses",
            why=why,
            way_out="look whether --tracking-uri is an MLflow server",
        )


def tags_of(pairs: object) -> dict[str, str]:
    """Tags as the server lists them, by name.

    Example:
        >>> tags_of([{"key": "a", "value": "1"}])
        {'a': '1'}
    """
    found = pairs if isinstance(pairs, list) else []
    return {str(one.get("key", "")): str(one.get("value", "")) for one in found if isinstance(one, dict)}


def pairs_of(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as the server takes them.

    Example:
        >>> pairs_of({"a": "1"})
        [{'key': 'a', 'value': '1'}]
    """
    return [{"key": key, "value": value} for key, value in tags.items()]


def short(value: object, most: int) -> str:
    """A value as one text that the server can keep.

    Example:
        >>> short({"b": 2}, 100), short("x" * 9, 5)
        ('{"b": 2}', 'xxxx…')
    """
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= most else text[: most - 1] + "…"
