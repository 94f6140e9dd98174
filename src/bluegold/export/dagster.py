"""The pipeline as Dagster assets: one Python file that Dagster loads without bluegold imported."""

from __future__ import annotations

from bluegold.export.tasks import Task

__all__ = ["FILE", "render"]

FILE = "definitions.py"

_HEAD = '''"""Development pipeline of {name}, exported by bluegold.  Load it with: dagster dev -f {file}"""

import subprocess

import dagster as dg


def _stage(command: list[str], timeout_s: float) -> None:
    subprocess.run(command, check=True, timeout=timeout_s)
'''

_ASSET = """

@dg.asset(
    name={name!r},
    deps={needs!r},
    description={purpose!r},
    group_name="development",
    retry_policy=dg.RetryPolicy(max_retries={retries}),
)
def {name}() -> None:
    _stage({command!r}, {timeout_s!r})
"""

_TAIL = """

defs = dg.Definitions(
    assets=[{names}],
    jobs=[dg.define_asset_job("develop", selection=dg.AssetSelection.groups("development"))],
)
"""


def render(name: str, tasks: tuple[Task, ...]) -> str:
    """The text of the Dagster definition file.

    Args:
        name: the system's name.
        tasks: the stages in order.

    Example:
        >>> one = Task(name="a", purpose="p", command=("true",), needs=(), timeout_s=1.0, retries=0)
        >>> "dg.Definitions" in render("demo", (one,))
        True
    """
    assets = [
        _ASSET.format(
            name=task.name,
            needs=list(task.needs),
            purpose=task.purpose,
            retries=task.retries,
            command=list(task.command),
            timeout_s=task.timeout_s,
        )
        for task in tasks
    ]
    tail = _TAIL.format(names=", ".join(task.name for task in tasks))
    return _HEAD.format(name=name, file=FILE) + "".join(assets) + tail
