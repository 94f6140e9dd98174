"""The system a verb is about, when only the registry knows it: the definition that a version carries."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bluegold.core.errors import UsageError

if TYPE_CHECKING:
    from bluegold.features.system import System
    from bluegold.registry import Registry

__all__ = ["registered_system"]


def registered_system(registry: Registry, name: str = "") -> System:
    """The definition that a registered version carries: of production, else of the newest version.

    The artefacts are verified against digest and signature before anything of them is run.
    """
    from bluegold.features.loader import load_system

    versions = registry.versions.list(name or None)
    models = sorted({version.model for version in versions})
    if len(models) != 1:
        raise UsageError(
            f"the registry holds no version of '{name}'" if name else f"the registry holds {len(models)} models",
            why=", ".join(models[:10]),
            way_out="give --system FOLDER with pipeline.py and architecture.yaml",
        )
    version = next((one for one in versions if one.stage == "Production"), versions[0])
    with tempfile.TemporaryDirectory() as folder:
        for file in version.artefacts:
            if file.endswith(".py") or file == "architecture.yaml":
                (Path(folder) / file).write_bytes(registry.versions.artefact(version.ref, file))
        return load_system(Path(folder) / "pipeline.py")
