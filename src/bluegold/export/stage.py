"""One stage as a command: ``python -m bluegold.export.stage``, which exported tasks run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bluegold.core.errors import BluegoldError
from bluegold.core.workspace import Workspace
from bluegold.development.pipeline import develop_through
from bluegold.features.loader import load_system
from bluegold.registry import Registry
from bluegold.security.proof import presented_key

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the development pipeline up to one stage; earlier stages are reused.

    Returns:
        0 done, otherwise the error's exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m bluegold.export.stage", description=main.__doc__)
    parser.add_argument("stage")
    parser.add_argument("--system", type=Path, required=True)
    parser.add_argument("--workspace", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        space = Workspace.create(given.workspace)
        with Registry.open(space) as registry:
            registry.act_as(key=presented_key() if registry.access.proven else "")
            develop_through(given.stage, load_system(given.system), space, registry, folder=given.system)
    except BluegoldError as error:
        sys.stderr.write(f"bluegold: {error}\n")
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
