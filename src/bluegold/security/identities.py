"""Identities: local users with hashed keys, and people whom another system vouches for (OIDC).

A key is ``bg_<id>_<secret>`` with 256 random bits in its secret; it is shown once, and only its scrypt hash is kept.
Users are rows of the registry; the file here is a signed copy of them that serving processes can read, so that nobody
is in it who was not added through the registry.

Source: RFC 7914 (scrypt), through ``hashlib``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from pathlib import Path

import msgspec

from bluegold.core.errors import DefinitionError, IntegrityError
from bluegold.core.nouns import Noun
from bluegold.core.workspace import Workspace, write_atomic
from bluegold.security.access import AUTOMATIC, ROLES, Role, is_automatic
from bluegold.security.identity import Identity
from bluegold.security.signing import Signer, Verifier

__all__ = ["Identities", "User", "make_key"]

#: scrypt's cost: 16 MiB and about 40 ms for the first sight of a key; afterwards it is remembered.
_COST = {"n": 2**14, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024}
_REMEMBERED = 4096
_ENCODER = msgspec.json.Encoder(order="deterministic")


class User(Noun, frozen=True, kw_only=True):
    """One local user as the file keeps it: the key's public part, its salt and its scrypt hash, never the key."""

    name: str
    roles: tuple[Role, ...]
    key: str
    salt: str
    hash: str
    added_at: float
    added_by: str = ""
    expires_at: float | None = None
    revoked_at: float | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    revision: int
    users: tuple[User, ...]
    signature: str


class Identities:
    """Who may be recognised in one workspace.  Threads may share it; a changed file counts from the next call on.

    Args:
        path: the signed file of users; it need not exist.
        keys: the folder with the installation's public key.
        oidc: the configuration of an OpenID provider; it need not exist.

    Example:
        >>> import tempfile
        >>> space = Workspace.create(Path(tempfile.mkdtemp()))
        >>> identities = Identities.open(space)
        >>> user, key = make_key("ada", ("developer",))
        >>> identities.write(1, (user,), Signer.open(space.keys))
        >>> identities.identify(key).name
        'ada'
        >>> identities.identify(key + "x") is None
        True
    """

    def __init__(self, path: Path, keys: Path, oidc: Path) -> None:
        self.path = path
        self._keys = keys
        self._oidc = oidc
        self._lock = threading.Lock()
        self._stamp: tuple[tuple[int, int, int] | None, ...] = ()
        self._users: dict[str, User] = {}
        self._revision = 0
        self._pepper = secrets.token_bytes(32)
        self._seen: dict[bytes, Identity | None] = {}

    @classmethod
    def open(cls, workspace: Workspace) -> Identities:
        """The identities of a workspace."""
        return cls(workspace.root / "users.json", workspace.keys, workspace.root / "oidc.json")

    @property
    def active(self) -> bool:
        """Whether identities are known at all; from then on a name without a proof changes nothing.

        Raises:
            IntegrityError: the file of users was changed by somebody else than this installation.
        """
        with self._lock:
            self._refresh()
            return bool(self._users) or self._oidc.is_file()

    @property
    def revision(self) -> int:
        """Which state of the registry's users the file holds; 0 when there is none, -1 when it does not verify."""
        with self._lock:
            try:
                self._refresh()
            except IntegrityError:
                return -1
            return self._revision

    def users(self) -> tuple[User, ...]:
        """Every local user, revoked ones too, in the order they were added."""
        with self._lock:
            self._refresh()
            return tuple(self._users.values())

    def identify(self, key: str) -> Identity | None:
        """Who holds ``key`` (a local key or an OIDC token), or None: unknown, wrong, revoked or expired.

        Secrets are compared in constant time; a key that was seen before costs microseconds.

        Raises:
            IntegrityError: the file of users was changed by somebody else than this installation.
            DefinitionError: ``oidc.json`` cannot be used.
        """
        mark = hashlib.blake2b(key.encode(errors="surrogatepass"), key=self._pepper, digest_size=32).digest()
        with self._lock:
            self._refresh()
            if mark in self._seen:
                found = self._seen[mark]
            else:
                found = self._recognise(key)
                if len(self._seen) >= _REMEMBERED:
                    self._seen.clear()
                self._seen[mark] = found
        if found is not None and found.expires_at is not None and time.time() >= found.expires_at:
            return None
        return found

    def write(self, revision: int, users: tuple[User, ...], signer: Signer) -> None:
        """Replace the file of users by a signed one."""
        write_atomic(self.path, _ENCODER.encode(_File(revision, users, signer.sign(_message(revision, users)))))
        self.path.chmod(0o600)

    def _recognise(self, key: str) -> Identity | None:
        if key.count(".") == 2 and self._oidc.is_file():
            from bluegold.security.tokens import read_token

            return read_token(key, self._oidc)
        prefix, _, rest = key.partition("_")
        public, _, secret = rest.partition("_")
        user = self._users.get(public)
        if prefix != "bg" or user is None or user.revoked_at is not None:
            return None
        if not hmac.compare_digest(_hash(secret, base64.b64decode(user.salt)), base64.b64decode(user.hash)):
            return None
        return Identity(name=user.name, roles=user.roles, key=user.key, expires_at=user.expires_at)

    def _refresh(self) -> None:
        """Read the file again, and forget who was recognised, when a file is another one than last time."""
        files = (self.path, self._oidc, self._oidc.with_name("jwks.json"))
        stamp = tuple(_stamp(path) for path in files)
        if stamp == self._stamp:
            return
        self._seen.clear()
        self._users, self._revision, self._stamp = {}, 0, ()
        if stamp[0] is not None:
            self._read()
        self._stamp = stamp

    def _read(self) -> None:
        try:
            file = msgspec.json.decode(self.path.read_bytes(), type=_File)
            Verifier.open(self._keys).verify(_message(file.revision, file.users), file.signature)
        except (OSError, msgspec.MsgspecError, IntegrityError) as error:
            raise IntegrityError(
                f"the users in '{self.path}' do not verify, so nobody is recognised",
                why=str(error),
                way_out="restore users.json and the keys folder from one backup",
                subject="users.json",
            ) from error
        self._users = {user.key: user for user in file.users}
        self._revision = file.revision


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def make_key(
    name: str, roles: tuple[Role, ...], added_by: str = "", expires_at: float | None = None
) -> tuple[User, str]:
    """A new user and their key, which nothing keeps.

    Args:
        name: as the audit trail will show it.
        roles: what they are here.
        added_by: who lets them in.
        expires_at: until when the key counts, seconds since 1970.

    Raises:
        DefinitionError: the name is no identity, or a role does not exist.

    Example:
        >>> user, key = make_key("ada", ("developer",))
        >>> key.startswith(f"bg_{user.key}_"), key.rpartition("_")[2] in user.hash
        (True, False)
    """
    _usable(name, roles)
    public, secret, salt = secrets.token_hex(6), secrets.token_hex(32), secrets.token_bytes(16)
    user = User(
        name=name,
        roles=tuple(sorted(set(roles))),
        key=public,
        salt=base64.b64encode(salt).decode(),
        hash=base64.b64encode(_hash(secret, salt)).decode(),
        added_at=time.time(),
        added_by=added_by,
        expires_at=expires_at,
    )
    return user, f"bg_{public}_{secret}"


def _usable(name: str, roles: tuple[Role, ...]) -> None:
    """What acts automatically is called so, and is nothing else: no name is both a person's and a machine's."""
    automatic = is_automatic(name)
    plain = name.removeprefix(f"{AUTOMATIC}:") if automatic else name
    if not plain.strip() or plain != plain.strip() or len(name) > 100 or not name.isprintable() or ":" in plain:
        raise DefinitionError(f"{name!r} is no usable identity", way_out="use a short printable name without ':'")
    if automatic is not ("automatic" in roles) or (
        automatic and (set(roles) != {"automatic"} or not name.startswith(AUTOMATIC))
    ):
        raise DefinitionError(
            f"'{name}' cannot be {' and '.join(roles) or 'without a role'}",
            why="the automatic actor has its own role and a name of its own",
            way_out="call it automatic or automatic:name, with --role automatic, and give a person another name",
        )
    unknown = [role for role in roles if role not in ROLES]
    if unknown or not roles:
        raise DefinitionError(
            f"'{unknown[0]}' is no role" if unknown else f"'{name}' needs a role",
            way_out=f"choose among {', '.join(sorted(ROLES))}",
        )


def _hash(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(errors="surrogatepass"), salt=salt, dklen=32, **_COST)


def _message(revision: int, users: tuple[User, ...]) -> bytes:
    return _ENCODER.encode(["users", revision, users])
