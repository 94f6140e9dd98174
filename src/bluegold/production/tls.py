"""TLS on the workers' own sockets: who is let in, under which certificate, and how both change while serving.

A certificate and its key are read again when their files change; connections that are open go on.  Which authorities
vouch for clients is read when a worker starts (``bluegold reload`` replaces the workers without a gap).  The processes
of the installation itself prove who they are by a certificate in its keys folder.
"""

from __future__ import annotations

import datetime as dt
import http.client
import os
import ssl
from pathlib import Path
from typing import Any

import msgspec

from bluegold.core.errors import ServingError

__all__ = ["INSIDE", "ServerTls", "Tls", "holder_of", "inside", "inside_connection", "inside_context"]

INSIDE = "automatic:inside"
"""The name in the certificate of the installation's own processes."""

_INSIDE_FILE = "inside.pem"
_LASTS = dt.timedelta(days=3650)


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """Files in PEM: the certificate with its chain, its key, and the authorities that vouch for clients.

    Without ``client_ca`` no client needs a certificate.
    """

    cert: Path
    key: Path
    client_ca: Path | None = None


class ServerTls:
    """What a worker ends TLS with.

    Args:
        files: certificate, key and client authorities.
        keys: the installation's keys folder, for its own processes' certificate.

    Raises:
        ServingError: a file is missing, is no PEM, or key and certificate do not belong together.
    """

    def __init__(self, files: Tls, keys: Path) -> None:
        self._files = files
        self._stamp = self._stamped()
        self.context = _context(files)
        self._inside = b""
        if files.client_ca is not None:
            self.context.verify_mode = ssl.CERT_REQUIRED
            try:
                self.context.load_verify_locations(files.client_ca)
                self.context.load_verify_locations(own := inside(keys))
                self._inside = ssl.PEM_cert_to_DER_cert(own.read_text().partition("-----BEGIN PRIVATE")[0])
            except (OSError, ssl.SSLError) as error:
                raise ServingError(
                    f"'{files.client_ca}' cannot vouch for clients",
                    why=str(error),
                    way_out="name a file of CA certificates in PEM with --client-ca",
                ) from error

    def is_inside(self, connection: ssl.SSLObject | None) -> bool:
        """Whether the other end of a connection is a process of the installation itself, by its very certificate."""
        return bool(self._inside) and connection is not None and connection.getpeercert(True) == self._inside

    def refresh(self) -> bool:
        """Take a changed certificate for the connections to come; whether there was one.

        Raises:
            ServingError: it cannot be used; the one before goes on.
        """
        stamp = self._stamped()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        _context(self._files)  # half a pair must not reach the context that serves
        self.context.load_cert_chain(self._files.cert, self._files.key)
        return True

    def _stamped(self) -> tuple[tuple[int, int, int], ...]:
        found = []
        for path in (self._files.cert, self._files.key):
            try:
                state = path.stat()
            except OSError:
                continue
            found.append((state.st_ino, state.st_mtime_ns, state.st_size))
        return tuple(found)


def _context(files: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(files.cert, files.key, password=lambda: b"")  # never ask at the terminal
    except (OSError, ssl.SSLError) as error:
        raise ServingError(
            f"certificate '{files.cert}' and key '{files.key}' cannot be used",
            why=error.strerror or str(error),
            way_out="name a certificate chain and its unencrypted key, both in PEM",
        ) from error
    return context


def holder_of(certificate: dict[str, Any] | None) -> str:
    """Whom a verified client certificate names: its common name, else its first alternative name; empty for nobody.

    Example:
        >>> holder_of({"subject": ((("organizationName", "A"),), (("commonName", "shop"),))})
        'shop'
        >>> holder_of({"subjectAltName": (("DNS", "shop.local"),)}), holder_of(None)
        ('shop.local', '')
    """
    found = certificate or {}
    parts = [pair for part in found.get("subject", ()) for pair in part if pair[0] == "commonName"]
    names = [*parts, *found.get("subjectAltName", ())]
    return str(names[0][1])[:100] if names else ""


def inside(keys: Path) -> Path:
    """The certificate and key by which the installation's own processes prove themselves; made the first time.

    Args:
        keys: the keys folder of the workspace.
    """
    path = keys / _INSIDE_FILE
    if not path.is_file():
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(_self_signed())
        try:
            os.link(scratch, path)
        except FileExistsError:
            pass  # another process was faster; its certificate counts
        finally:
            scratch.unlink()
    return path


def inside_connection(host: str, port: int, cert: Path, keys: Path, timeout: float) -> http.client.HTTPSConnection:
    """A connection of one of the installation's own processes to its server, which must show the certificate it has.

    Args:
        host: where the server answers.
        port: its port.
        cert: the server's certificate; no other is believed, whatever name it carries.
        keys: the keys folder of the workspace.
        timeout: seconds for each step.

    Raises:
        ServingError: a certificate cannot be read.
    """
    return http.client.HTTPSConnection(host, port, timeout=timeout, context=inside_context(cert, keys))


def inside_context(cert: Path, keys: Path) -> ssl.SSLContext:
    """What one of the installation's own processes connects with; arguments and errors as :func:`inside_connection`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cert)
        context.load_cert_chain(inside(keys))
    except (OSError, ssl.SSLError) as error:
        raise ServingError("the server's certificate cannot be read", why=str(error)) from error
    return context


def _self_signed() -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, INSIDE)])
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + _LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
