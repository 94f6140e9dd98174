"""Pseudonyms: a stable name in place of a personal value, so that joins and routing go on without it.

The same value gets the same pseudonym everywhere in one installation, and without the installation's key nobody can
say which value a pseudonym stands for, nor try values out.

Source: keyed BLAKE2b, RFC 7693.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from bluegold.security.sealing import made_key

__all__ = ["LENGTH", "Pseudonyms"]

LENGTH = 23
"""Characters of a pseudonym: a tilde and 128 bits in base64."""

_FILE = "pseudonyms.key"


class Pseudonyms:
    """Names values with the key of one installation.

    Args:
        key: 32 secret bytes.

    Example:
        >>> names = Pseudonyms(bytes(32))
        >>> names.of("ES91 2100 0418") == names.of("ES91 2100 0418"), names.of("ES91 2100 0419") == names.of("ES91")
        (True, False)
        >>> len(names.of("x")) == LENGTH
        True
    """

    def __init__(self, key: bytes) -> None:
        self._keyed = hashlib.blake2b(key=key, digest_size=16)

    @classmethod
    def open(cls, keys: Path) -> Pseudonyms:
        """Read an installation's key; the first time, make it (readable by its owner only).

        Raises:
            WorkspaceError: the key cannot be made or read.
            IntegrityError: the key file is damaged.
        """
        return cls(made_key(keys / _FILE))

    def of(self, value: str) -> str:
        """The pseudonym of a value."""
        one = self._keyed.copy()
        one.update(value.encode("utf-8", "surrogatepass"))
        return "~" + base64.urlsafe_b64encode(one.digest())[:22].decode()
