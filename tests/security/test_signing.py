"""Only this installation's key signs, and nothing signed survives a change."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegold.core.errors import IntegrityError, WorkspaceError
from bluegold.security.signing import Signer, Verifier


def test_a_signature_verifies_with_the_public_half_alone(tmp_path: Path) -> None:
    signature = Signer.open(tmp_path / "keys").sign(b"digest")
    assert Signer.open(tmp_path / "keys").sign(b"digest") == signature
    Verifier.open(tmp_path / "keys").verify(b"digest", signature)
    assert (tmp_path / "keys" / "signing.key").stat().st_mode & 0o777 == 0o600


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer.open(tmp_path_factory.mktemp("keys"))


@given(data=st.binary(max_size=64), position=st.integers(0, 511))
def test_any_changed_bit_is_refused(signer: Signer, data: bytes, position: int) -> None:
    signature = signer.sign(data)
    raw = bytearray(base64.b64decode(signature))
    raw[position // 8] ^= 1 << (position % 8)
    with pytest.raises(IntegrityError):
        signer.verifier.verify(data, base64.b64encode(raw).decode())
    with pytest.raises(IntegrityError):
        signer.verifier.verify(data + b"!", signature)


@pytest.mark.parametrize("signature", ["", "not base64!", "AAAA", "é"])
def test_what_is_no_signature_is_refused(signer: Signer, signature: str) -> None:
    with pytest.raises(IntegrityError):
        signer.verifier.verify(b"digest", signature)


def test_another_installations_signature_is_refused(signer: Signer, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="another installation"):
        signer.verifier.verify(b"digest", Signer.open(tmp_path).sign(b"digest"))


def test_damaged_and_missing_keys_are_named(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"signing\.pub"):
        Verifier.open(tmp_path)
    Signer.open(tmp_path)
    (tmp_path / "signing.key").write_bytes(b"short")
    with pytest.raises(IntegrityError, match="damaged"):
        Signer.open(tmp_path)
    (tmp_path / "signing.key").unlink()
    with pytest.raises(IntegrityError, match="is gone"):
        Signer.open(tmp_path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WorkspaceError):
        Signer.open(tmp_path / "file" / "keys")


def test_processes_that_open_at_once_agree_on_one_key(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from bluegold.security.signing import Signer; "
        "print(Signer.open(Path(sys.argv[1])).sign(b'x'))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "keys")]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    signatures = {child.communicate(timeout=60)[0] for child in children}
    assert len(signatures) == 1
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["signing.key", "signing.pub"]
