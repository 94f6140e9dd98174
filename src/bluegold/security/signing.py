"""Signatures with this installation's own Ed25519 key: who made an artefact cannot be forged without the key.

Source: RFC 8032 (Ed25519), through the ``cryptography`` library.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bluegold.core.errors import IntegrityError, WorkspaceError
from bluegold.core.workspace import write_atomic

__all__ = ["Signer", "Verifier"]

_PRIVATE, _PUBLIC = "signing.key", "signing.pub"


class Verifier:
    """Checks signatures against one public key.

    Args:
        key: the public key.
    """

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    @classmethod
    def open(cls, keys: Path) -> Verifier:
        """Read the public key of an installation.

        Raises:
            IntegrityError: the key is missing or damaged.
        """
        path = keys / _PUBLIC
        try:
            return cls(Ed25519PublicKey.from_public_bytes(path.read_bytes()))
        except (OSError, ValueError) as error:
            raise IntegrityError(
                f"the public key '{path}' cannot be used", why=str(error), way_out="restore the keys folder"
            ) from error

    @classmethod
    def decode(cls, text: str) -> Verifier:
        """The public key in base64, as :attr:`encoded` gives it.

        Raises:
            IntegrityError: it is none.
        """
        try:
            return cls(Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True)))
        except (binascii.Error, ValueError) as error:
            raise IntegrityError("a public key cannot be used", why=str(error)) from error

    @property
    def encoded(self) -> str:
        """The public key in base64: what others need to check this installation's signatures."""
        return base64.b64encode(self._key.public_bytes_raw()).decode()

    def verify(self, data: bytes, signature: str) -> None:
        """Accept ``signature`` for ``data`` or raise.

        Raises:
            IntegrityError: the signature is not one that this installation made for these bytes.
        """
        try:
            self._key.verify(base64.b64decode(signature, validate=True), data)
        except (InvalidSignature, binascii.Error, ValueError) as error:
            raise IntegrityError(
                "a signature does not verify",
                why="the data or the signature was changed, or another installation signed it",
                way_out="restore the original from a backup",
            ) from error


class Signer:
    """Signs with the private key of this installation.

    Args:
        key: the private key.

    Example:
        >>> import tempfile
        >>> signer = Signer.open(Path(tempfile.mkdtemp()))
        >>> signer.verifier.verify(b"digest", signer.sign(b"digest"))
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.verifier = Verifier(key.public_key())

    @classmethod
    def open(cls, keys: Path) -> Signer:
        """Read the key of an installation; the first time, make it (readable by its owner only).

        Raises:
            WorkspaceError: the folder cannot be written.
            IntegrityError: the key file is damaged or gone.
        """
        path = keys / _PRIVATE
        try:
            keys.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.is_file():
                if (keys / _PUBLIC).is_file():
                    raise IntegrityError(
                        f"the signing key '{path}' is gone",
                        why="its public half is still there, so it existed",
                        way_out="restore the keys folder from a backup",
                    )
                _make(path)
            signer = cls(Ed25519PrivateKey.from_private_bytes(path.read_bytes()))
            if not (keys / _PUBLIC).is_file():
                write_atomic(keys / _PUBLIC, signer._key.public_key().public_bytes_raw())
        except OSError as error:
            raise WorkspaceError(
                f"the keys in '{keys}' cannot be used",
                why=error.strerror or str(error),
                way_out="check the folder's owner and rights",
            ) from error
        except ValueError as error:
            raise IntegrityError(
                f"the signing key '{path}' is damaged", why=str(error), way_out="restore the keys folder"
            ) from error
        return signer

    def sign(self, data: bytes) -> str:
        """The signature of ``data``, in base64."""
        return base64.b64encode(self._key.sign(data)).decode()


def _make(path: Path) -> None:
    """Make the key without ever replacing one that another process has made meanwhile."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(Ed25519PrivateKey.generate().private_bytes_raw())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(scratch, path)
    except FileExistsError:
        pass  # another process was faster; its key counts
    finally:
        scratch.unlink()
