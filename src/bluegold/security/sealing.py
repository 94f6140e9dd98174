"""Sealing: values encrypted one by one with AES-256-GCM, under keys that are replaced and can be destroyed.

A sealed value is ``<key id>.<base64 of nonce and ciphertext>``.  What it belongs to (model, field, moment) is
authenticated with it: moved to another record or field, it does not open.  Destroying a key erases everything that
was sealed under it, wherever copies lie.

Source: NIST SP 800-38D (GCM), through the ``cryptography`` library.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import time
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bluegold.core.errors import IntegrityError, UsageError, WorkspaceError

__all__ = ["KeyRing", "made_key"]

NONCE = 12
FRESH_S = 1.0
"""So long the folder is not looked at again: a new key is used, and a destroyed one forgotten, within this time."""

_PREFIX = "sealing-"


class KeyRing:
    """The sealing keys of one installation: the newest seals, all of them open.

    Args:
        folder: where the keys lie, one file each (``sealing-<id>.key``, readable by its owner only).

    Example:
        >>> import tempfile
        >>> ring = KeyRing(Path(tempfile.mkdtemp()))
        >>> sealed = ring.seal(b"ES91 2100 0418", b"payments/iban/17")
        >>> b"2100" in sealed.encode(), ring.opened(sealed, b"payments/iban/17")
        (False, b'ES91 2100 0418')
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: dict[str, AESGCM] = {}
        self._looked = float("-inf")
        self._newest = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys, oldest first; an id begins with the moment its key was made."""
        found = (path.stem.removeprefix(_PREFIX) for path in self._folder.glob(f"{_PREFIX}*.key"))
        return tuple(sorted(found))

    def seal(self, value: bytes, context: bytes) -> str:
        """Encrypt a value under the newest key; the first time, a key is made.

        Args:
            value: what is to be hidden.
            context: what it belongs to; :meth:`opened` must be given the same.

        Raises:
            WorkspaceError: a key cannot be made or read.
        """
        self._look()
        if not self._newest:
            self.rotate()
        nonce = os.urandom(NONCE)
        sealed = nonce + self._keys[self._newest].encrypt(nonce, value, context)
        return f"{self._newest}.{base64.urlsafe_b64encode(sealed).decode()}"

    def opened(self, token: str, context: bytes) -> bytes | None:
        """The value behind a sealed one; None when its key was destroyed.

        Raises:
            IntegrityError: it was changed, or it belongs to something else.
        """
        identifier, _, body = token.partition(".")
        self._look()
        key = self._keys.get(identifier)
        if key is None:
            return None
        try:
            sealed = base64.b64decode(body, altchars=b"-_", validate=True)
            return key.decrypt(sealed[:NONCE], sealed[NONCE:], context)
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise IntegrityError(
                "a sealed value does not open",
                why="it was changed, or moved from another record or field",
                way_out="run 'bluegold audit verify'; restore the record from a backup",
            ) from error

    def rotate(self) -> str:
        """Make a new key, under which everything is sealed from now on; the id of it."""
        identifier = f"{time.time_ns() // 1000:016x}-{secrets.token_hex(2)}"
        made_key(self._folder / f"{_PREFIX}{identifier}.key")
        self._looked = float("-inf")
        self._look()
        return identifier

    def destroy(self, identifier: str) -> None:
        """Overwrite and remove a key: what was sealed under it is erased, in every copy.

        A backup of the keys folder that is older keeps the key: destroy it there too.

        Raises:
            UsageError: there is no such key.
        """
        path = self._folder / f"{_PREFIX}{identifier}.key"
        if identifier not in self.ids:
            raise UsageError(f"there is no sealing key '{identifier}'", way_out=f"the keys are {', '.join(self.ids)}")
        with path.open("r+b") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        self._looked = float("-inf")

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < FRESH_S:
            return
        there = self.ids
        try:
            for identifier in there:
                if identifier not in self._keys:
                    self._keys[identifier] = AESGCM((self._folder / f"{_PREFIX}{identifier}.key").read_bytes())
        except (OSError, ValueError) as error:
            raise WorkspaceError(
                f"a sealing key in '{self._folder}' cannot be used",
                why=str(error),
                way_out="restore the keys folder from a backup",
            ) from error
        self._keys = {identifier: self._keys[identifier] for identifier in there}
        self._newest = there[-1] if there else ""
        self._looked = now


def made_key(path: Path) -> bytes:
    """The 32 random bytes of a key file; the first time they are made, readable by the owner only.

    Raises:
        WorkspaceError: the file cannot be made or read.
        IntegrityError: it does not hold a key.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "some.key"
        >>> made_key(path) == made_key(path), oct(path.stat().st_mode & 0o777)
        (True, '0o600')
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.is_file():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise WorkspaceError(
            f"the key '{path}' cannot be used", why=error.strerror or str(error), way_out="check its owner and rights"
        ) from error
    if len(key) != 32:
        raise IntegrityError(f"the key '{path}' is damaged", way_out="restore the keys folder from a backup")
    return key


def _make(path: Path) -> None:
    """Make a key without ever replacing one that another process has made meanwhile."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(32))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(scratch, path)
    except FileExistsError:
        pass  # another process was faster; its key counts
    finally:
        scratch.unlink()
