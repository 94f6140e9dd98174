"""The veil: personal values leave the request as soon as it is decoded; what is kept of them is sealed.

Past this point the path of a request knows pseudonyms only.  The values themselves go, encrypted field by field, into
the decision record, and come back out of it for those who may see them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bluegold.core.errors import ServingError
from bluegold.features.fields import ContractSpec
from bluegold.features.masking import Masker
from bluegold.production.results.records import DecisionRecord
from bluegold.security.pseudonyms import Pseudonyms
from bluegold.security.sealing import KeyRing

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Veil", "disclosed"]


class Veil:
    """Masks and seals the marked fields of one contract; use :meth:`of`.

    Args:
        masker: puts pseudonyms in place of values.
        ring: seals the values.
    """

    def __init__(self, masker: Masker, ring: KeyRing) -> None:
        self._masker = masker
        self._ring = ring

    @classmethod
    def of(cls, contract: ContractSpec, keys: Path | None) -> Veil | None:
        """The veil of a contract; None where nothing is marked.

        Args:
            contract: says which fields identify somebody.
            keys: the workspace's keys.

        Raises:
            ServingError: fields are marked and no keys are there: nothing is served rather than in the open.

        Example:
            >>> Veil.of(ContractSpec(name="Reading", description="", fields=()), None) is None
            True
        """
        if not contract.marked:
            return None
        if keys is None:
            raise ServingError(
                f"'{contract.name}' holds personal data and there are no keys to hide it",
                way_out="serve it from a workspace",
            )
        return cls(Masker(contract, Pseudonyms.open(keys)), KeyRing(keys))

    def mask(self, row: Any) -> dict[str, str]:
        """Replace the personal values of a decoded row by pseudonyms; the values, to be sealed.

        Raises:
            FieldError: a value is longer than its field allows.
        """
        return self._masker.row(row)

    def frame(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A frame with pseudonyms in its marked columns."""
        return self._masker.frame(frame)

    def seal(self, values: dict[str, str], model: str, at: int) -> dict[str, str]:
        """The values of one record, encrypted one by one and bound to model, field and moment.

        Raises:
            WorkspaceError: there is no key and none can be made.
        """
        return {
            name: self._ring.seal(value.encode("utf-8", "surrogatepass"), _context(model, name, at))
            for name, value in values.items()
        }

    def hidden(self, body: bytes, model: str) -> str:
        """A whole body that was refused, encrypted: nobody can say which of its parts identify somebody."""
        return self._ring.seal(body, _context(model, "body", 0))


def disclosed(record: DecisionRecord, ring: KeyRing | None) -> DecisionRecord:
    """A record as somebody may see it.

    Args:
        record: as it is kept.
        ring: opens its personal values, for those who may see them; None for everybody else, who see pseudonyms.

    Returns:
        the record without its sealed values; with the values themselves in the payload where the ring opens them.

    Raises:
        IntegrityError: a sealed value was changed or moved.

    Example:
        >>> record = DecisionRecord(at=1, model="m", version="v1", color="blue", value=True, score=0.5)
        >>> disclosed(record, None) == record
        True
    """
    if not record.sealed:
        return record
    shown = msgspec.structs.replace(record, sealed=msgspec.UNSET)
    if ring is None or not isinstance(record.payload, dict):
        return shown
    values = {}
    for name, token in record.sealed.items():
        value = ring.opened(token, _context(record.model, name, record.at))
        if value is not None:  # its key was destroyed otherwise
            values[name] = value.decode("utf-8", "surrogatepass")
    return msgspec.structs.replace(shown, payload={**record.payload, **values})


def _context(model: str, field: str, at: int) -> bytes:
    return f"{model}/{field}/{at}".encode()
