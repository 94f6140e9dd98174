"""What each kind of file shows, with its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bluegold.core.errors import DefinitionError
from bluegold.core.nouns import Finding
from bluegold.design.scan import read_detectors, scan

Look = Callable[[dict[str, str]], tuple[Finding, ...]]


def places(found: tuple[Finding, ...], technology: str) -> list[tuple[str, int, str]]:
    return [(f.usage, f.line, f.evidence) for f in found if f.technology == technology]


@pytest.mark.parametrize(
    ("path", "text", "technology", "expected"),
    [
        ("a.py", "import boto3\nc = boto3.client('s3')", "s3", ("used", 2, "call")),
        ("a.py", "import os\n\nos.environ['PINECONE_API_KEY']", "pinecone", ("used", 3, "configuration")),
        ("a.py", "x = f'redis://{host}'", "redis", ("used", 1, "configuration")),
        ("a.py", "from ray import serve\n\n@serve.deployment\nclass A: ...", "ray-serve", ("used", 1, "import")),
        ("a.py", "from airflow import DAG\nX(image='neo4j:5')", "neo4j", ("used", 2, "deployment")),
        ("a.py", "import os\nos.system('feast apply')", "feast", ("used", 2, "call")),
        ("Dockerfile", "ARG B=tensorflow/serving:2\nFROM ${B}", "tf-serving", ("used", 2, "deployment")),
        ("Dockerfile", "FROM x\nRUN pip install \\\n  -U \\\n  torch", "pytorch", ("declared", 2, "dependency")),
        ("Dockerfile", 'FROM x\nCMD ["vllm", "serve", "m"]', "vllm", ("used", 2, "deployment")),
        ("Makefile", "run:\n\tdocker run --name redis -p 1:1 qdrant/qdrant", "qdrant", ("used", 2, "deployment")),
        ("values.yaml", "image:\n  repository: bitnami/redis\n  tag: 7", "redis", ("used", 2, "deployment")),
        ("a.yml", "spec:\n  x: a\n---\nkind: InferenceService\napiVersion: serving.kserve.io/v1", "kserve",
         ("used", 4, "deployment")),
        ("main.tf", '# x\nresource "aws_s3_bucket" "a" {}', "s3", ("used", 2, "deployment")),
        ("env.yml", "dependencies:\n  - conda-forge::lightgbm=4.3", "lightgbm", ("declared", 2, "dependency")),
        ("go.mod", "require github.com/lib/pq v1.0", "postgresql", ("declared", 1, "dependency")),
        ("Jenkinsfile", "pipeline {\n  steps { sh 'helm upgrade api x/redis' }\n}", "helm", ("used", 2, "call")),
        ("a.sql", "-- x\nCREATE EXTENSION vector;", "pgvector", ("used", 2, "configuration")),
        ("a.ts", "import x from 'a'\nimport { createClient } from 'redis'", "redis", ("used", 2, "import")),
        ("old.py", "print 'x'\nimport xgboost", "xgboost", ("used", 2, "import")),
        ("config.pbtxt", 'name: "a"\nbackend: "vllm"', "vllm", ("used", 2, "configuration")),
        ("requirements.txt", "feast[redis]>=0.3", "redis", ("declared", 1, "dependency")),
        ("a.py", "X = 1\nY = 'storages.backends.s3boto3.S3Boto3Storage'", "s3", ("used", 2, "configuration")),
        ("a.yaml", "m:\n  class: sklearn.svm.SVC", "scikit-learn", ("used", 2, "configuration")),
        ("a.py", "class S:\n    driver: str = 'mysql+pymysql'", "mysql", ("used", 2, "configuration")),
        ("a.ts", "import 'typeorm'\nconst a = { type: 'postgres' }", "postgresql", ("used", 2, "configuration")),
        ("a.js", "const a = 1;\nconst k = process.env.OPENAI_API_KEY", "openai", ("used", 2, "configuration")),
        ("a.java", 'class A {\n  String u = "jdbc:mysql://h/d";', "mysql", ("used", 2, "configuration")),
        ("a.ts", "import type { A } from 'openai'", "openai", ("declared", 1, "dependency")),
        ("s.prisma", 'datasource d {\n  provider = "sqlite"\n}', "sqlite", ("used", 2, "configuration")),
        ("tests/a.py", "import os\nfrom google.cloud import bigquery", "bigquery", ("mentioned", 2, "import")),
        ("a.py", 'x = 1\n"""\nTorch\nand pytorch."""', "pytorch", ("mentioned", 4, "prose")),
    ],
)  # fmt: skip
def test_place(look: Look, path: str, text: str, technology: str, expected: tuple[str, int, str]) -> None:
    assert expected in places(look({path: text}), technology)


@pytest.mark.parametrize(
    ("path", "text", "technology"),
    [
        ("Makefile", "run:\n\tdocker run --name redis -p 1:1 qdrant/qdrant", "redis"),
        ("Makefile", "help:\n\t@echo 'mlflow server'", "mlflow"),
        ("a.py", "if path.startswith('s3://'): pass", "s3"),
        ("a.py", "x = 'install torch'", "pytorch"),
        ("a.py", "from . import redis", "redis"),
        ("a.py", "def mlflow(): ...\nmlflow()", "mlflow"),
        ("a.py", "x = '# no airflow here'", "airflow"),
        ("poetry.lock", '[[package]]\nname = "torch"', "pytorch"),
        ("constraints.txt", "torch==2", "pytorch"),
        ("go.mod", "require (\n github.com/lib/pq v1 // indirect\n)", "postgresql"),
        ("a.yaml", "data:\n  note: |\n    image: redis:7\n", "redis"),
        ("a.ts", "const a = { type: 'postgres' }", "postgresql"),
        ("a.prisma", 'generator g {\n  provider = "sqlite"\n}', "sqlite"),
        ("a.py", "x = 'torch.nn'\ny = 'see torch.nn.Linear'", "pytorch"),
        ("a.py", 'x = f("""\n# pytorch\n""")', "pytorch"),
        ("package.json", '{"name": "redis", "scripts": {"redis": "x"}}', "redis"),
    ],
)
def test_nothing_there(look: Look, path: str, text: str, technology: str) -> None:
    assert not places(look({path: text}), technology)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "# import torch, that is PyTorch"),
        ("a.py", '"""\nimport torch  # PyTorch\n"""'),
        ("a.yaml", "x: 1  # pytorch"),
        ("Dockerfile", "FROM scratch\n# FROM pytorch/pytorch"),
        ("requirements.txt", "# pytorch==2"),
        ("main.tf", "// image pytorch/pytorch"),
        ("a.rst", "PyTorch"),
    ],
)
def test_comments_only_mention(look: Look, path: str, text: str) -> None:
    assert {usage for usage, _, _ in places(look({path: text}), "pytorch")} == {"mentioned"}


def test_notebook_lines_and_cells(look: Look) -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Äther\n", "about Airflow\n"]},
        {"cell_type": "code", "outputs": [{"text": ["import jax\n"]}], "source": ["%pip install xgboost\n"]},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": ["import os\n", "import torch as t\n"]},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": ["!ls\n", "t.zeros(2)\n"]},
    ]  # fmt: skip
    for ascii_only in (True, False):
        text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}, indent=1, ensure_ascii=ascii_only)
        lines = text.split("\n")
        found = {(f.technology, f.evidence): f for f in look({"n.ipynb": text})}
        assert "import torch" in lines[found["pytorch", "import"].line - 1]
        assert "t.zeros" in lines[found["pytorch", "call"].line - 1]
        assert "about Airflow" in lines[found["airflow", "prose"].line - 1]
        assert found["pytorch", "import"].detail.startswith("cell 3: ")
        assert found["xgboost", "dependency"].usage == "declared"
        assert ("jax", "import") not in found


def test_compiled_requirements_keep_what_was_asked_for(look: Look) -> None:
    text = "fastapi==1 \\\n    --hash=sha256:aa\n    # via -r requirements.in\n"
    text += "redis==5\n    # via\n    #   fastapi\n    #   celery\n"
    found = look({"requirements.txt": text})
    assert [(f.technology, f.line) for f in found if f.usage == "declared"] == [("fastapi", 1)]


def test_guests_bring_detectors(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import acme_train")
    (tmp_path / "mine.toml").write_text('kind = "framework"\nsection = "S1"\n[acme]\nimports = ["acme_train"]')
    found = scan(tmp_path, detectors=read_detectors(tmp_path / "mine.toml"))
    assert [f.technology for f in found] == ["acme"]
    (tmp_path / "mine.toml").write_text("[acme]\nimport = 1")
    with pytest.raises(DefinitionError, match=r"mine\.toml"):
        read_detectors(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("technology", "line"),
    [("pytorch", 7), ("lightgbm", 9), ("pytorch-lightning", 10), ("scikit-learn", 3), ("redis", 17)],
)
def test_a_package_is_cited_where_it_is_asked_for_and_not_where_its_name_stands(
    look: Look, technology: str, line: int
) -> None:
    text = """[project]
name = "lightgbm-shelf"
dependencies = ["scikit-learn"]

[project.optional-dependencies]
torch = [
  "torch>=2.2",
]
boosting = ["lightgbm>=4; python_version > '3.9'"]
dev = ["lightning>=2"]

[project.scripts]
lightning = "shelf.cli:main"
redis = "shelf.cli:redis"

[tool.poetry.dependencies]
redis = "^5"
"""
    assert [(use, at) for use, at, _ in places(look({"pyproject.toml": text}), technology)] == [("declared", line)]
