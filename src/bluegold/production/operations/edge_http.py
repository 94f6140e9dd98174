"""Just enough HTTP/1.1 for the edge: where a message ends, and which of its headers concern the connection.

Everything else passes as it came: the worker behind the edge reads the request, the edge only has to know where
one ends so that it can be sent again.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["HEAD_LIMIT", "HOLDER", "Malformed", "Message", "forwarded", "parse_request", "parse_response"]

HOLDER = "x-bluegold-holder"
"""In it the edge says whom the client's certificate names, percent-encoded; it counts only on a connection that shows
the installation's own certificate."""

HEAD_LIMIT = 32 * 1024
BODY_LIMIT = 1024 * 1024 + 1
"""The worker refuses a body of more than 1 MiB; a body that long is passed on, so that it can say so."""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?=\r\n)")
_OURS = re.compile(rb"\r\n(?:connection|keep-alive|x-bluegold-(?:attempt|retry|peer|holder)):[^\r\n]*")


class Malformed(Exception):
    """A message that the edge does not pass on, and the status that says so."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Message(NamedTuple):
    """One message inside a buffer: where its head and its body end, and whether the connection ends with it."""

    head: int
    end: int
    close: bool


def parse_request(buffer: bytearray) -> Message | None:
    """The request at the beginning of a buffer, or None while its head is not complete.

    Raises:
        Malformed: it cannot be passed on: too large, of unknown length, or not HTTP/1.

    Example:
        >>> parse_request(bytearray(b"GET /v1/health HTTP/1.1" + b"\\r\\n" + b"host: a" + b"\\r\\n\\r\\n"))
        Message(head=36, end=36, close=False)
    """
    head = _head(buffer)
    if head is None:
        return None
    text = bytes(buffer[:head]).lower()
    first = text[: text.find(b"\r\n")]
    if not first.endswith((b" http/1.1", b" http/1.0")) or text.count(b"\n") != text.count(b"\r\n"):
        raise Malformed(400)  # a lone line feed could end a line for the worker that goes on for the edge
    if b"\r\ntransfer-encoding" in text:
        raise Malformed(411)
    if b"\r\nexpect:" in text:
        raise Malformed(417)
    lengths = _LENGTH.findall(text)
    if len(lengths) != text.count(b"\r\ncontent-length") or len(lengths) > 1:
        raise Malformed(400)
    length = int(lengths[0]) if lengths else 0
    if length > BODY_LIMIT:
        raise Malformed(413)
    close = first.endswith(b"1.0") or (b"\r\nconnection:" in text and b"close" in _connection(text))
    return Message(head, head + length, close)


def parse_response(buffer: bytearray, *, bodiless: bool) -> Message | None:
    """The response at the beginning of a buffer, or None while its head is not complete.

    Args:
        buffer: what has come so far.
        bodiless: whether it answers HEAD.

    Raises:
        Malformed: the worker sent what the edge does not understand.
    """
    head = _head(buffer)
    if head is None:
        return None
    text = bytes(buffer[:head]).lower()
    found = _LENGTH.search(text)
    if found is None and not bodiless and text[9:12] not in {b"204", b"304"}:
        raise Malformed(502)
    length = 0 if bodiless or found is None else int(found[1])
    return Message(head, head + length, b"\r\nconnection:" in text and b"close" in _connection(text))


def forwarded(head: bytes, more: bytes) -> bytes:
    """A head without what concerns its connection or only the edge may say, and with lines that the edge adds.

    Example:
        >>> forwarded(b"GET / HTTP/1.0" + b"\\r\\n" + b"Connection: close" + b"\\r\\n\\r\\n", b"x-a: 1" + b"\\r\\n")
        b'GET / HTTP/1.1\\r\\nx-a: 1\\r\\n\\r\\n'
    """
    lower = head.lower()
    if b"\r\nconnection:" in lower or b"\r\nx-bluegold-" in lower or b"\r\nkeep-alive:" in lower:
        kept, at = bytearray(), 0
        for found in _OURS.finditer(lower):
            kept += head[at : found.start()]
            at = found.end()
        head = bytes(kept + head[at:])
    end = head.find(b"\r\n")
    first = head[:end]
    if first.endswith(b"1.0"):
        first = first[:-1] + b"1"
    return b"%b\r\n%b%b" % (first, more, head[end + 2 :])


def _head(buffer: bytearray) -> int | None:
    end = buffer.find(b"\r\n\r\n", 0, HEAD_LIMIT)
    if end >= 0:
        return end + 4
    if len(buffer) > HEAD_LIMIT:
        raise Malformed(431)
    return None


def _connection(text: bytes) -> bytes:
    start = text.find(b"\r\nconnection:") + 13
    return text[start : text.find(b"\r\n", start)]
