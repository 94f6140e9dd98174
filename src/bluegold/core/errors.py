"""The error tree.  Every message says what happened, why, and the way out.

BluegoldError
├── UsageError            the caller asked for something that does not exist or make sense   (exit 2)
├── DefinitionError       pipeline.py or architecture.yaml cannot mean what it says
├── DataError             a data set is missing, unreadable, empty or of the wrong shape
│   └── FieldError        one field of one record is wrong (HTTP 422)
├── StageError            a development stage failed
├── RegistryError         the registry refuses or cannot find something
│   ├── UnknownVersion    no such version
│   ├── ForbiddenTransition   the stage table does not allow this change
│   └── IntegrityError    an artefact, signature or chain does not verify
├── DeliveryError         a release cannot go on
│   └── Refused           a gate or a person said no
├── ServingError          the serving side cannot start or answer
├── AccessDenied          this identity may not do that
├── StoreError            a store cannot be reached, opened, read or written
└── WorkspaceError        the workspace is missing, locked, full or not writable
"""

from __future__ import annotations

__all__ = [
    "AccessDenied",
    "BluegoldError",
    "DataError",
    "DefinitionError",
    "DeliveryError",
    "FieldError",
    "ForbiddenTransition",
    "IntegrityError",
    "Refused",
    "RegistryError",
    "ServingError",
    "StageError",
    "StoreError",
    "UnknownVersion",
    "UsageError",
    "WorkspaceError",
]


class BluegoldError(Exception):
    """Base of every error this project raises on purpose.

    Args:
        what: what happened, with the value or place it is about.
        why: why it is a problem, when the first part does not say so already.
        way_out: what the reader can do about it.
        subject: the stage, version, gate, requirement or file it is about.

    Example:
        >>> str(BluegoldError("data.csv is empty", way_out="give a file with at least one row"))
        'data.csv is empty. Way out: give a file with at least one row.'
    """

    exit_status = 1

    def __init__(self, what: str, *, why: str = "", way_out: str = "", subject: str = "") -> None:
        self.what = what
        self.why = why
        self.way_out = way_out
        self.subject = subject
        text = what.rstrip(".")
        if why:
            text += f": {why.rstrip('.')}"
        if way_out:
            text += f". Way out: {way_out.rstrip('.')}"
        super().__init__(f"{text}.")


class UsageError(BluegoldError):
    """The caller named something that does not exist or combined options that exclude each other."""

    exit_status = 2


class DefinitionError(BluegoldError):
    """The definition of a system (``pipeline.py`` or ``architecture.yaml``) is not valid."""


class DataError(BluegoldError):
    """A data set is missing, unreadable, empty or does not have the shape its contract says."""


class FieldError(DataError):
    """One field of one record is wrong.

    Args:
        field: path of the field, for example ``rows[3].dep_delay``.
        what: what is wrong with it.
    """

    def __init__(self, field: str, what: str, *, way_out: str = "") -> None:
        super().__init__(f"field '{field}': {what}", way_out=way_out, subject=field)
        self.field = field


class StageError(BluegoldError):
    """A development stage could not do its work."""


class RegistryError(BluegoldError):
    """The registry refuses an operation or cannot find what was asked for."""


class UnknownVersion(RegistryError):
    """The registry holds no such version."""


class ForbiddenTransition(RegistryError):
    """The stage table or the release table does not allow this change."""


class IntegrityError(RegistryError):
    """An artefact, signature or audit chain does not verify."""


class DeliveryError(BluegoldError):
    """A release cannot go on."""


class Refused(DeliveryError):
    """A gate or a person said no."""


class ServingError(BluegoldError):
    """The serving side cannot start or answer."""


class AccessDenied(BluegoldError):
    """This identity may not do that."""


class StoreError(BluegoldError):
    """A store cannot be reached, opened, read or written."""


class WorkspaceError(BluegoldError):
    """The workspace is missing, locked, full or not writable."""
