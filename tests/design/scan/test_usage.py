"""Used, declared and mentioned are three things; whose code it is, is a fourth."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bluegold.core.nouns import Finding

Look = Callable[[dict[str, str]], tuple[Finding, ...]]


def test_each_usage_cites_its_own_place(look: Look) -> None:
    found = look(
        {
            "requirements.txt": "# needs\ntorch==2.3\n",
            "README.md": "# Title\n\nBuilt on PyTorch.\n",
            "train.py": '"""Doc."""\nimport os\nimport torch\n\ntorch.manual_seed(1)\n',
        }
    )
    assert {(f.usage, f.path, f.line, f.evidence) for f in found if f.technology == "pytorch"} == {
        ("declared", "requirements.txt", 2, "dependency"),
        ("mentioned", "README.md", 3, "prose"),
        ("used", "train.py", 3, "import"),
        ("used", "train.py", 5, "call"),
    }


@pytest.mark.parametrize(
    ("path", "scope", "usage"),
    [
        ("app/train.py", "main", "used"),
        ("tests/test_train.py", "test", "mentioned"),
        ("test_script.py", "main", "used"),
        ("test.py", "main", "used"),
        ("third_party/lib/train.py", "vendored", "mentioned"),
        ("examples/train.py", "example", "mentioned"),
    ],
)
def test_scope(look: Look, path: str, scope: str, usage: str) -> None:
    found = look({"main.py": "import lightgbm", path: "import torch"})
    (torch,) = [f for f in found if f.technology == "pytorch"]
    assert (torch.scope, torch.usage, torch.evidence) == (scope, usage, "import")
    assert torch.confidence == (0.9 if scope == "main" else torch.confidence)
    assert scope == "main" or torch.confidence < 0.6


def test_a_file_of_tests_beside_the_code_is_a_test(look: Look) -> None:
    (found,) = look({"test_train.py": "import torch\n\ndef test_zero():\n    assert 1"})
    assert (found.scope, found.usage) == ("test", "mentioned")


def test_a_repository_of_examples_uses_what_they_use(look: Look) -> None:
    (found,) = look({"examples/train.py": "import torch"})
    assert (found.scope, found.usage) == ("example", "used")


def test_secrets_are_never_shown(look: Look) -> None:
    found = look(
        {
            "a.py": 'engine = create("postgresql://admin:hunter2@db/x")',
            ".env": "REDIS_PASSWORD=hunter2\nDATABASE_URL=postgresql://admin:hunter2@db/x",
            "compose.yml": "services:\n  a:\n    environment:\n      DB: mysql://root:hunter2@db/x\n",
        }
    )
    assert {f.technology for f in found} >= {"postgresql", "redis", "mysql"}
    assert "hunter2" not in repr(found)


def test_ci_services_are_the_tests_own(look: Look) -> None:
    workflow = (
        "on: push\njobs:\n  t:\n    services:\n      db:\n        image: postgres:16\n"
        "        env:\n          POSTGRES_PASSWORD: x\n    steps:\n      - run: dvc repro\n"
    )
    usage = {(f.technology, f.usage, f.scope) for f in look({".github/workflows/ci.yml": workflow})}
    assert ("postgresql", "mentioned", "test") in usage
    assert ("dvc", "used", "main") in usage
    assert ("postgresql", "used", "main") not in usage


@pytest.mark.parametrize("head", ["import redis", "from redis import Redis"])
def test_a_local_module_is_no_library(look: Look, head: str) -> None:
    assert not look({"app/redis.py": "class Redis: ...", "app/main.py": head})


def test_a_folder_of_that_name_is_still_the_library(look: Look) -> None:
    found = look({"mlflow/Dockerfile": "FROM python:3.11", "train.py": "import mlflow"})
    assert "mlflow" in {f.technology for f in found}


def test_a_module_inside_a_package_does_not_hide_the_library(look: Look) -> None:
    found = look({"loggers/__init__.py": "", "loggers/wandb.py": "import wandb"})
    assert [f.technology for f in found] == ["wandb"]


def test_a_plain_module_has_nothing_inside(look: Look) -> None:
    """A module called like a library cannot be what `library.part` names."""
    found = look({"app/__init__.py": "", "app/sklearn.py": "", "app/fit.py": "from sklearn.svm import SVC"})
    assert [f.technology for f in found] == ["scikit-learn"]


def test_a_module_beside_in_a_package_needs_a_second_sign(look: Look) -> None:
    package = {"app/__init__.py": "", "app/evaluate.py": "def score(): ...", "app/fit.py": "from evaluate import score"}
    assert not look(package)
    declared = look(package | {"requirements.txt": "evaluate"})
    assert {(f.path, f.usage) for f in declared} == {("app/fit.py", "used"), ("requirements.txt", "declared")}
