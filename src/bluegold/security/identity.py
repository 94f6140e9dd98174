"""Who somebody is, once it is proved."""

from __future__ import annotations

import msgspec

from bluegold.security.access import ROLES, Action, Role

__all__ = ["Identity"]


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who proved who they are.

    Attributes:
        name: as the audit trail shows it.
        roles: what they are here.
        key: which key (its public part) or ``oidc`` proved it.
        expires_at: until when the proof counts, seconds since 1970; None for ever.
    """

    name: str
    roles: tuple[Role, ...]
    key: str = ""
    expires_at: float | None = None

    def may(self, action: Action) -> bool:
        """Whether one of the roles includes ``action``.

        Example:
            >>> Identity(name="ada", roles=("reader",)).may("personal")
            False
        """
        return any(action in ROLES[role] for role in self.roles)
