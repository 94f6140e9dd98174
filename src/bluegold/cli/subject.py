"""Which system a verb is about: the one in a folder, or the one whose definition a registered version carries."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bluegold.core.errors import UsageError

if TYPE_CHECKING:
    from bluegold.features.system import System
    from bluegold.registry import Registry

__all__ = ["registered_system", "system_of"]


def system_of(folder: Path | None, registry: Registry, name: str = "") -> System:
    """The system that is meant.

    Args:
        folder: where its definition lies; without it the current folder's, else the registry's.
        registry: holds the definitions of registered versions.
        name: the model, where the registry holds several.

    Raises:
        UsageError: no definition can be found, or several are meant.
        DefinitionError: the definition is not valid.
    """
    from bluegold.features.loader import load_system

    if folder is not None:
        return load_system(folder)
    if not name and Path("pipeline.py").is_file():
        return load_system(Path())
    return registered_system(registry, name)


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
