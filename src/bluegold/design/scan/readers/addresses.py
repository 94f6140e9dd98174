"""Addresses in strings: which kind of system a connection URL points to, without its secrets."""

from __future__ import annotations

import re

__all__ = ["DIALECT_KEYS", "dialect_of", "scheme_of"]

_SCHEME = re.compile(r"((?:jdbc:)?[a-zA-Z][a-zA-Z0-9+.-]{0,40})://(?!\s)")
_FALLBACK = re.compile(r"\$\{\w{1,80}:?[-=]([^}]{0,400})\}?")
_DIALECT = re.compile(r"[a-z][a-z0-9]{2,20}\+[a-z][a-z0-9_]{1,20}")
#: keys whose text is the name of a database
DIALECT_KEYS = frozenset({"dialect", "driver", "drivername", "db_driver", "db_type", "database_type", "db_engine"})
_PUBLIC = frozenset({"http", "https", "file", "ftp", "git", "ssh", "tcp", "unix", "ws", "wss", "grpc", "data"})


def scheme_of(text: str) -> str:
    """The scheme of a connection address, empty when the text is none.

    Example:
        >>> scheme_of("postgresql+psycopg2://user:secret@db/train")
        'postgresql+psycopg2'
        >>> scheme_of("https://example.org"), scheme_of("see s3://bucket"), scheme_of("redis:// or rediss://")
        ('', '', '')
        >>> scheme_of("${TRACKING_URI:-sqlite:////app/runs.db}")
        'sqlite'
    """
    given = _FALLBACK.match(text)
    text = given[1] if given else text
    if text.startswith("models:/") and len(text) > len("models:/"):
        return "models"
    found = _SCHEME.match(text)
    if not found:
        return ""
    scheme = found[1].lower()
    return "" if scheme in _PUBLIC else scheme


def dialect_of(text: str, key: str = "") -> str:
    """The first part of an address that is put together elsewhere, empty when the text is none.

    Example:
        >>> dialect_of("postgresql+asyncpg"), dialect_of("mysql", "dialect"), dialect_of("mysql")
        ('postgresql+asyncpg', 'mysql', '')
    """
    text = text.strip().lower().removesuffix("://")
    return text if _DIALECT.fullmatch(text) or (key.lower() in DIALECT_KEYS and text.isalnum()) else ""
