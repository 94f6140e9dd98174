"""Forms: what a browser sends, read in full or not at all."""

from __future__ import annotations

import email
import re
from urllib.parse import parse_qsl

import msgspec

from bluegold.core.errors import UsageError

__all__ = ["LARGEST", "Form", "read_form"]

#: The largest form, its files included, in bytes.
LARGEST = 8 * 1024 * 1024
_MOST = 50
_BOUNDARY = re.compile(r'boundary="?([^";,]{1,200})"?', re.IGNORECASE)


class Form(msgspec.Struct, frozen=True):
    """Fields by name (the last of a name counts), and files with their names."""

    fields: dict[str, str]
    files: tuple[tuple[str, bytes], ...] = ()


def read_form(kind: str, body: bytes) -> Form:
    """The form in a request.

    Args:
        kind: its content type.
        body: its bytes.

    Raises:
        UsageError: it is no form.

    Example:
        >>> read_form("application/x-www-form-urlencoded", b"says=approve&comment=read+it").fields
        {'says': 'approve', 'comment': 'read it'}
        >>> head = b'Content-Disposition: form-data; name="f"; filename="a.csv"'
        >>> body = b"--x\\r\\n" + head + b"\\r\\n\\r\\n1,2\\r\\n--x--\\r\\n"
        >>> read_form("multipart/form-data; boundary=x", body).files
        (('a.csv', b'1,2'),)
    """
    plain = kind.partition(";")[0].strip().lower()
    try:
        if plain == "application/x-www-form-urlencoded":
            text = body.decode()
            return Form(dict(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=_MOST)))
        boundary = _BOUNDARY.search(kind) if plain == "multipart/form-data" else None
        if boundary is not None:
            return _parts(body, boundary.group(1).encode())
    except (ValueError, IndexError) as error:
        raise UsageError("the form cannot be read", why=str(error)[:200], way_out="send it again") from error
    raise UsageError(f"'{plain[:60]}' is no form", way_out="send the form of the page")


def _parts(body: bytes, boundary: bytes) -> Form:
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--") or len(pieces) > _MOST:
        raise ValueError("its parts do not end")
    fields: dict[str, str] = {}
    files: list[tuple[str, bytes]] = []
    for piece in pieces[1:-1]:
        head, mark, content = piece.partition(b"\r\n\r\n")
        told = email.message_from_bytes(head.strip() + b"\r\n\r\n")
        name = told.get_param("name", header="content-disposition")
        if not mark or not isinstance(name, str):
            raise ValueError("a part has no name")
        file = told.get_filename()
        if file is None:
            fields[name] = content.decode()
        elif file or content:
            files.append((_plain(file), content))
    return Form(fields, tuple(files))


def _plain(name: str) -> str:
    """A file's own name, without the way to it and without what cannot be shown."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(one for one in last if one.isprintable() and one not in ':"')[:150].strip() or "file"
