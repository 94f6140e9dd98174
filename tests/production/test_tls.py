"""TLS that ends in the workers: who is let in, who the caller is, and certificates that change while serving."""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bluegold.core.errors import ServingError
from bluegold.production.operations.board import Board, Cell, State
from bluegold.production.operations.processes import Endpoint
from bluegold.production.operations.sentinel import account
from bluegold.production.operations.supervisor import Supervisor, running
from bluegold.production.results.decision_log import DecisionReader
from bluegold.production.tls import ServerTls, Tls
from bluegold.security.identities import Identities, make_key
from bluegold.security.signing import Signer

MODEL = "parcels"


class Authority:
    """A certificate authority of the test, and the files it makes."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._signed(self._key, name, days=30).public_bytes(serialization.Encoding.PEM))

    def give(self, name: str, file: str = "", days: int = 30) -> tuple[Path, Path]:
        """A certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert, secret = (self.folder / f"{file or name}.{end}" for end in ("crt", "key"))
        pem = serialization.Encoding.PEM
        kind = serialization.PrivateFormat.PKCS8
        secret.write_bytes(key.private_bytes(pem, kind, serialization.NoEncryption()))
        cert.write_bytes(self._signed(key, name, days).public_bytes(pem))
        return cert, secret

    def _signed(self, key: ec.EllipticCurvePrivateKey, name: str, days: int) -> x509.Certificate:
        until = dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=days)
        own = key is self._key
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(until - dt.timedelta(days=60))
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=own, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def client(authority: Authority, given: tuple[Path, Path] | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.file)
    if given:
        context.load_cert_chain(*given)
    return context


def shown(endpoint: Endpoint, context: ssl.SSLContext) -> int:
    """The serial number of the certificate that a new connection gets."""
    plain = socket.create_connection((endpoint.host, endpoint.port), timeout=60)
    with context.wrap_socket(plain, server_hostname="localhost") as secure:
        found = secure.getpeercert(binary_form=True)
        assert found is not None
        return x509.load_der_x509_certificate(found).serial_number


def serial(cert: Path) -> int:
    return x509.load_pem_x509_certificate(cert.read_bytes()).serial_number


def test_mutual_tls_end_to_end(world: Any, tmp_path: Path) -> None:
    world.promote("v1")
    space = world.workspace
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    cert, key = ours.give("server")
    options = ["--tls-cert", str(cert), "--tls-key", str(key), "--client-ca", str(ours.file)]
    with Supervisor(space, MODEL, 0, 1, "127.0.0.1", "--alone", "--sentinel", "0.2", *options) as endpoint:
        assert endpoint.url.startswith("https://")
        url = f"https://localhost:{endpoint.port}"
        shop = client(ours, ours.give("shop"))

        def ask(context: ssl.SSLContext, **headers: str) -> httpx.Response:
            return httpx.post(f"{url}/v1/predict", json=world.parcel(1), headers=headers, verify=context, timeout=60)

        answer = ask(shop, **{"x-bluegold-caller": "somebody else"})
        assert answer.status_code == 200
        decision = httpx.get(f"{url}/v1/decisions/{answer.json()['id']}", verify=shop, timeout=60).json()
        assert decision["caller"] == "shop@127.0.0.1"

        forged, expired = theirs.give("shop", "forged"), ours.give("shop", "old", days=-1)
        for refused in (None, forged, expired):
            with pytest.raises(httpx.TransportError):
                ask(client(ours, refused))
        with pytest.raises(httpx.TransportError):
            httpx.post(f"http://localhost:{endpoint.port}/v1/predict", json=world.parcel(1), timeout=60)
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            ask(client(theirs, ours.give("shop", "again")))  # nor does a client believe any server

        deadline = time.monotonic() + 60
        while (found := account(space)) is None or found.rounds - found.failed < 2:  # the sentinel is let in, too
            assert time.monotonic() < deadline
            time.sleep(0.05)

        _rotates(ours, endpoint, shop, cert)

        user, secret = make_key("shop", ("application",))
        Identities.open(space).write(1, (user,), Signer.open(space.keys))
        stranger = client(ours, ours.give("stranger"))
        while ask(stranger).status_code == 200:
            assert time.monotonic() < deadline + 60
            time.sleep(0.05)
        assert ask(stranger).status_code == 401
        assert ask(stranger, authorization="certificate shop").status_code == 401
        assert ask(shop).status_code == 200
        assert ask(stranger, authorization=f"Bearer {secret}").status_code == 200
    assert running(space) is None


def test_the_edge_ends_tls_and_says_who_the_client_is(world: Any, tmp_path: Path) -> None:
    world.promote("v1")
    ours = Authority(tmp_path, "ours")
    cert, key = ours.give("server")
    options = ["--tls-cert", str(cert), "--tls-key", str(key), "--client-ca", str(ours.file), "--edge"]
    with Supervisor(world.workspace, MODEL, 0, 2, "127.0.0.1", *options) as endpoint:
        shop = client(ours, ours.give("süd shop"))
        board, deadline = Board(Path(endpoint.board)), time.monotonic() + 60
        lie = {"x-bluegold-holder": "somebody", "x-bluegold-peer": "10.0.0.1"}
        with httpx.Client(base_url=f"https://localhost:{endpoint.port}", verify=shop, timeout=60) as http:
            while http.get("/v1/health").status_code != 200 or board.standby()[Cell.STATE] != State.STANDBY:
                assert time.monotonic() < deadline
                time.sleep(0.05)

            def ask() -> str:
                said = http.post("/v1/predict", json=world.parcel(1), headers=lie)
                assert said.status_code == 200
                caller: str = http.get(f"/v1/decisions/{said.json()['id']}").json()["caller"]
                return caller

            assert ask() == "süd shop@127.0.0.1"
            os.kill(board.slot(0)[Cell.PID], signal.SIGKILL)
            assert [ask() for _ in range(20)] == ["süd shop@127.0.0.1"] * 20, "a killed worker costs no request"
        with pytest.raises(httpx.TransportError):
            httpx.get(f"https://localhost:{endpoint.port}/v1/health", verify=client(ours, None), timeout=60)
        for port in endpoint.direct:  # a worker believes the edge alone, by its certificate
            url = f"https://localhost:{port}"
            with pytest.raises(httpx.TransportError):
                httpx.get(f"{url}/v1/health", verify=client(ours, None), timeout=60)
            said = httpx.post(f"{url}/v1/predict", json=world.parcel(1), headers=lie, verify=shop, timeout=60).json()
            recorded = DecisionReader(world.workspace.decisions).get(said["id"])
            assert recorded is not None
            assert recorded.caller.startswith("süd shop@")
        _rotates(ours, endpoint, shop, cert, "edge.log")


def _rotates(
    ours: Authority, endpoint: Endpoint, shop: ssl.SSLContext, cert: Path, said_in: str = "worker-0.log"
) -> None:
    """A changed certificate is shown to new connections; old ones go on; half a pair changes nothing."""
    with httpx.Client(base_url=f"https://localhost:{endpoint.port}", verify=shop, timeout=60) as kept:
        assert kept.get("/v1/health").status_code == 200
        assert shown(endpoint, shop) == serial(cert)
        before = serial(cert)
        cert.write_bytes(ours.give("server", "other")[0].read_bytes())  # without its key
        deadline = time.monotonic() + 60
        log = Path(endpoint.board).with_name(said_in)
        while "the changed certificate is not used" not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert shown(endpoint, shop) == before
        ours.give("server")
        while shown(endpoint, shop) != serial(cert):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert kept.get("/v1/health").status_code == 200


def test_files_that_cannot_be_used_end_with_one_sentence(tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours")
    cert, key = ours.give("server")
    _, other = ours.give("other")
    (keys := tmp_path / "keys").mkdir()
    (nonsense := tmp_path / "nonsense.pem").write_text("nothing")
    for wrong in (
        Tls(cert=cert, key=other),
        Tls(cert=nonsense, key=key),
        Tls(cert=tmp_path / "none", key=key),
        Tls(cert=cert, key=key, client_ca=nonsense),
    ):
        with pytest.raises(ServingError, match="Way out"):
            ServerTls(wrong, keys)
    assert not ServerTls(Tls(cert=cert, key=key, client_ca=ours.file), keys).refresh()
    assert (keys / "inside.pem").stat().st_mode & 0o777 == 0o600


def test_the_command_line_serves_mutual_tls_behind_an_edge(world: Any, tmp_path: Path) -> None:
    world.promote("v1")
    ours = Authority(tmp_path, "ours")
    cert, key = ours.give("server")
    up = [sys.executable, "-m", "bluegold", "up", "--port", "0", "--workers", "1", "--console", "-1", "--no-drift"]
    where = ["-w", str(world.workspace.root)]
    alone = subprocess.run([*up, "--tls-cert", str(cert), *where], capture_output=True, text=True, check=False)
    assert alone.returncode != 0
    assert "give --tls-cert and --tls-key together" in alone.stderr
    tls = ["--tls-cert", str(cert), "--tls-key", str(key), "--client-ca", str(ours.file), "--edge"]
    with subprocess.Popen([*up, *tls, *where], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            seen = ""
            while "answers at" not in seen:
                line = process.stderr.readline()
                assert line, seen
                seen += line
            port = int(seen.partition("https://127.0.0.1:")[2].partition("/")[0])
            url, deadline = f"https://localhost:{port}", time.monotonic() + 60
            with httpx.Client(base_url=url, verify=client(ours, ours.give("shop")), timeout=60) as http:
                while http.get("/v1/health").status_code != 200:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
                said = http.post("/v1/predict", json=world.parcel(1)).json()
                assert http.get(f"/v1/decisions/{said['id']}").json()["caller"] == "shop@127.0.0.1"
            with pytest.raises(httpx.TransportError):
                httpx.get(f"{url}/v1/health", verify=client(ours, None), timeout=60)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
    assert process.returncode == 0
