"""Tokens of an OpenID provider: signed by a key of its set, for this audience, not expired, with a known role.

Source: RFC 7519 (JWT) and RFC 7517 (key sets), through PyJWT (extra ``oidc``).  No network: the provider's key set is a
file, ``jwks.json`` beside ``oidc.json``, kept up to date by whoever runs the installation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from bluegold.core.errors import DefinitionError
from bluegold.security.access import Role
from bluegold.security.identity import Identity

__all__ = ["Oidc", "read_token"]

#: Signatures by a private key only: a token "signed" with a public key as a shared secret is none.
_ALGORITHMS = ["EdDSA", "ES256", "ES384", "PS256", "RS256", "RS384", "RS512"]


class Oidc(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``oidc.json`` says.

    Attributes:
        issuer: the provider, exactly as its tokens name it.
        audience: this installation, as the provider knows it.
        name_claim: the claim that becomes the identity's name.
        roles_claim: the claim with the person's groups; ``a.b`` looks inside ``a``.
        roles: group of the provider -> role here; other groups mean nothing.
        leeway_s: how many seconds the clocks may differ.
    """

    issuer: str
    audience: str
    roles: dict[str, Role]
    name_claim: str = "sub"
    roles_claim: str = "groups"
    leeway_s: float = 10.0


def read_token(token: str, path: Path) -> Identity | None:
    """Who a token speaks for, or None when it does not hold.

    Args:
        token: a JWT in compact form.
        path: ``oidc.json``; the key set lies beside it as ``jwks.json``.

    Raises:
        DefinitionError: a file cannot be used, or PyJWT is not installed.
    """
    try:
        import jwt
    except ImportError as error:
        raise DefinitionError(
            f"'{path}' asks for tokens of an OpenID provider", why=str(error), way_out="pip install 'bluegold[oidc]'"
        ) from error
    try:
        chosen = msgspec.json.decode(path.read_bytes(), type=Oidc)
        keys = jwt.PyJWKSet.from_json(path.with_name("jwks.json").read_text(encoding="utf-8")).keys
    except (OSError, ValueError, jwt.PyJWTError) as error:
        raise DefinitionError(
            f"'{path}' or the jwks.json beside it cannot be used", why=str(error), way_out="correct that file"
        ) from error
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        key = next((one for one in keys if one.key_id == kid), None) if kid or len(keys) != 1 else keys[0]
        if key is None or key.algorithm_name not in _ALGORITHMS:
            return None
        claims = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=chosen.audience,
            issuer=chosen.issuer,
            leeway=chosen.leeway_s,
            options={"require": ["exp", "iss", "aud", chosen.name_claim]},
        )
    except jwt.PyJWTError:
        return None
    return _identity(claims, chosen)


def _identity(claims: dict[str, Any], chosen: Oidc) -> Identity | None:
    name, groups = claims.get(chosen.name_claim), _inside(claims, chosen.roles_claim)
    if not isinstance(name, str) or not name.strip() or ":" in name or name.strip().casefold() == "automatic":
        return None
    known = {chosen.roles[group] for group in groups if group in chosen.roles and chosen.roles[group] != "automatic"}
    expires = float(claims["exp"]) + chosen.leeway_s
    return Identity(name=name.strip(), roles=tuple(sorted(known or {"reader"})), key="oidc", expires_at=expires)


def _inside(claims: dict[str, Any], path: str) -> list[str]:
    found: Any = claims
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    if isinstance(found, str):
        return found.split()
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
