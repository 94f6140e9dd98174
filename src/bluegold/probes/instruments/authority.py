"""A certificate authority for probes, made for one measurement and thrown away."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["Authority"]


class Authority:
    """Gives certificates for ``localhost``.

    Args:
        folder: where it keeps them.
        name: what it is called.

    Example:
        >>> import tempfile
        >>> cert, key = Authority(Path(tempfile.mkdtemp()), "ours").give("shop")
        >>> b"BEGIN CERTIFICATE" in cert.read_bytes(), oct(key.stat().st_mode & 0o777)
        (True, '0o600')
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._signed(self._key, self._name, 30).public_bytes(serialization.Encoding.PEM))

    def give(self, name: str, days: int = 30) -> tuple[Path, Path]:
        """A certificate and its key.

        Args:
            name: whose.
            days: how long it holds; below zero it has expired.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        stem = f"{self.file.stem}-{name}"
        cert, secret = self._folder / f"{stem}.crt", self._folder / f"{stem}.key"
        secret.touch(mode=0o600)
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        cert.write_bytes(self._signed(key, subject, days).public_bytes(serialization.Encoding.PEM))
        return cert, secret

    def _signed(self, key: ec.EllipticCurvePrivateKey, subject: x509.Name, days: int) -> x509.Certificate:
        until = dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=days)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(until - dt.timedelta(days=60))
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=key is self._key, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
