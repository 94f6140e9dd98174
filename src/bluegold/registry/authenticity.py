"""What makes a version the one that was registered: the digest of its content, and a signature over that digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from bluegold.core.errors import IntegrityError, RegistryError
from bluegold.core.nouns import Lineage, ModelVersion
from bluegold.security.signing import Verifier
from bluegold.telemetry.chain import canonical

__all__ = ["authentic", "version_digest"]


def version_digest(model: str, artefacts: Mapping[str, str], lineage: Lineage) -> str:
    """The identity of a version's content: sha256 over model name, artefact digests and lineage.

    Raises:
        RegistryError: the lineage holds something that JSON has no word for.
    """
    try:
        return hashlib.sha256(canonical([model, dict(artefacts), lineage])).hexdigest()
    except (TypeError, ValueError) as error:
        raise RegistryError(
            f"the lineage of '{model}' cannot be kept", why=str(error), way_out="use text and numbers only"
        ) from error


def authentic(version: ModelVersion, verifier: Verifier) -> ModelVersion:
    """The version itself, once its digest and signature were verified (artefact bytes are not read).

    Raises:
        IntegrityError: the version or its signature was changed.
    """
    if version_digest(version.model, version.artefacts, version.lineage) != version.digest:
        raise IntegrityError(
            f"version {version.ref} was changed",
            why="its artefact list or lineage does not have the digest it was registered with",
            way_out="run 'bluegold audit verify' and restore the registry from a backup",
            subject=version.ref,
        )
    try:
        verifier.verify(version.digest.encode(), version.signature)
    except IntegrityError as error:
        raise IntegrityError(
            f"version {version.ref} is not signed by this installation",
            why="its digest and its signature do not belong together",
            way_out="register it again here, or restore the registry and its keys from a backup",
            subject=version.ref,
        ) from error
    return version
