"""The bytes of an answer: status line and headers, put together once and kept."""

from __future__ import annotations

import functools
from email.utils import formatdate
from http import HTTPStatus

__all__ = ["CONTINUE", "date", "head"]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@functools.lru_cache(maxsize=512)
def head(status: int, headers: tuple[tuple[str, str], ...], length: int, connection: str) -> bytes:
    """Status line and headers of an answer, all but the date and the empty line.

    Line breaks in a value, which would start another header, become blanks.

    Args:
        status: the HTTP status.
        headers: names and values.
        length: bytes of the body.
        connection: what to say about the connection; empty for nothing.

    Example:
        >>> head(200, (("content-type", "text/plain"),), 5, "close").decode().splitlines()
        ['HTTP/1.1 200 OK', 'content-type: text/plain', 'content-length: 5', 'connection: close']
    """
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value.translate(_NO_BREAKS)}" for name, value in headers]
    lines.append(f"content-length: {length}")
    if connection:
        lines.append(f"connection: {connection}")
    return "\r\n".join([*lines, ""]).encode("latin-1", "replace")


def date() -> bytes:
    """The date header of this second, and the empty line after the headers.

    Example:
        >>> date().decode().splitlines()[0][:6], date().count(b"GMT")
        ('date: ', 1)
    """
    return f"date: {formatdate(usegmt=True)}\r\n\r\n".encode()


_NO_BREAKS = dict.fromkeys((*range(32), 127), " ")
