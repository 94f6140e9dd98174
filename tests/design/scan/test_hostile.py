"""Trees that mean harm or are merely broken: the scan ends, stays inside, and says what it passed over."""

from __future__ import annotations

import os
import socket
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bluegold.core.errors import DataError
from bluegold.design.scan import Limits, scan, survey

Grow = Callable[[dict[str, str | bytes]], Path]


def test_links_are_never_followed(grow: Grow, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.py").write_text("import tensorflow")
    root = grow({"a/train.py": "import torch"})
    (root / "a" / "loop").symlink_to(root)
    (root / "out").symlink_to(outside)
    (root / "file.py").symlink_to(outside / "secret.py")
    (root / "dangling.py").symlink_to("nowhere")
    found = survey(root)
    assert [f.technology for f in found.findings] == ["pytorch"]
    assert found.skipped == {"link": 4}


def test_special_files_do_not_block(grow: Grow) -> None:
    root = grow({"train.py": "import torch"})
    os.mkfifo(root / "pipe.py")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "s.py"))
        found = survey(root)
    assert [f.technology for f in found.findings] == ["pytorch"]
    assert found.skipped == {"not a file": 2}


def test_big_and_binary_files_are_counted(grow: Grow) -> None:
    root = grow({"big.py": "import torch\n" + "#" * 2_000_001, "b.py": b"import torch\0\0", "ok.py": "import jax"})
    found = survey(root)
    assert [f.technology for f in found.findings] == ["jax"]
    assert found.skipped == {"binary": 1, "too big": 1}


def test_limits_hold(grow: Grow) -> None:
    root = grow({f"f{i}.py": "import torch" for i in range(20)} | {"x/y/z/a.py": "import jax"})
    assert survey(root, limits=Limits(max_files=5)).files == 5
    assert len(scan(root, limits=Limits(max_findings=3))) == 3
    assert "jax" not in {f.technology for f in scan(root, limits=Limits(max_depth=2))}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("deep.py", "(" * 50_000),
        ("minus.py", "-" * 100_000 + "1"),
        ("sum.py", "x = " + "1+" * 50_000 + "1"),
        ("attributes.py", "import torch\ntorch" + ".a" * 50_000),
        ("calls.py", "import torch\ntorch" + "()" * 20_000),
        ("deep.ipynb", '{"cells": ' + "[" * 100_000),
        ("deep.yaml", "\n".join(" " * i + "a:" for i in range(1500))),
        ("flow.yaml", "[" * 500_000),
        ("bomb.yaml", "a: &a [x]\n" + "".join(f"k{i}: &k{i} [{'*a,' * 50}]\n" for i in range(2000))),
        ("package.json", "[" * 200_000),
        ("pyproject.toml", "a = " + "[" * 100_000),
        ("blank.yaml", "\n" * 1_500_000),
        ("spaces.yml", " " * 1_500_000 + "x"),
        ("nginx.conf", "server" + " " * 1_500_000),
        ("quotes.sh", "'\"" * 700_000),
        ("continued.sh", "a \\\n" * 300_000),
        ("hashes.py", "#" * 1_500_000),
        ("comments.py", "# airflow\n" * 100_000),
        ("grafana.json", '"schemaVersion"\n' * 100_000),
        ("long.md", "mlflow " * 200_000),
        ("node.js", "import " * 200_000),
        ("a.go", '"' * 1_000_000),
        ("requirements.txt", "torch==1 # via x\n" * 20_000),
        ("strings.py", "x = ['# airflow', 1]  # airflow\n" * 40_000),
        ("needs/pyproject.toml", "[project]\ndependencies = [" + ",".join(f"'p{i}'" for i in range(60_000)) + "]"),
        ("one.ipynb", '{"cells": [{"source": "' + r"import torch\n" * 100_000 + '"}]}'),
        ("compiled/requirements.txt", "a==1 \\\n    # via\n    #   b\n" * 40_000),
        ("cases.sh", "a=(" * 100_000 + "\n" + "case x in\n" * 10_000 + "x)" * 10_000),
        ("here.sh", "".join(f"cat <<E{i}\n" for i in range(60_000))),
        ("defaults.yaml", "x: ${A:-" * 150_000),
        ("pom.xml", "<groupId>" * 150_000),
        ("items.yaml", "- apiVersion: v1\n  kind: X\n" * 40_000),
        ("escaped.py", "import torch\n" + "\\\"'" * 200_000),
        ("open.py", "torch\n" + '"' * 1_500_001),
        ("documents.py", "import torch\n" + 'x = """a""" # torch\n' * 40_000),
        ("functions.py", "import pandas\ndef check_data(" + "a," * 300_000),
        ("schema.prisma", "datasource db {\n" + '  provider = "' * 100_000),
        ("long.ts", "typeorm\n" + "type: '" * 200_000 + "\n" + "'a://" * 200_000),
        ("null.py", "import torch\nx = '\\0'\n"),
    ],
)
def test_hostile_content_ends_soon(grow: Grow, name: str, text: str) -> None:
    root = grow({name: text, "good.py": "import jax"})
    started = time.process_time()
    found = scan(root)
    assert time.process_time() - started < 60
    assert "jax" in {f.technology for f in found}


def test_archives_are_not_opened(grow: Grow) -> None:
    root = grow({"a.py": "import jax"})
    with zipfile.ZipFile(root / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../evil.py", "import torch\n" * 100_000)
    assert [f.technology for f in scan(root)] == ["jax"]
    assert not (root.parent.parent / "evil.py").exists()


def test_nothing_is_executed(grow: Grow) -> None:
    root = grow({})
    trap = f"open({str(root / 'ran')!r}, 'w')"
    (root / "setup.py").write_text(f"import torch\n{trap}\n")
    (root / "conftest.py").write_text(trap)
    (root / "sitecustomize.py").write_text(trap)
    (root / "a.yaml").write_text(f"!!python/object/apply:builtins.eval [{trap!r}]")
    assert scan(root)
    assert not (root / "ran").exists()


def test_odd_names_are_printable(grow: Grow) -> None:
    root = grow({"a.py": "import jax"})
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\x1b[31m.py")).write_text("import torch")
    for finding in scan(root):
        assert finding.path.isprintable()
        finding.path.encode()


def test_unreadable_files_are_counted(grow: Grow) -> None:
    root = grow({"a.py": "import jax", "b.py": "import torch"})
    (root / "b.py").chmod(0)
    found = survey(root)
    if os.geteuid() == 0:
        assert len(found.findings) == 2  # root reads everything
    else:
        assert found.skipped == {"unreadable": 1}


def test_no_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(DataError, match=r"is not a directory\. Way out"):
        scan(tmp_path / "f")
    with pytest.raises(DataError, match="does not exist"):
        scan(tmp_path / "none")


NAMES = [
    *("a.py", "a.ipynb", "a.yaml", "docker-compose.yml", "Chart.yaml", "Dockerfile", "a.tf", "a.sh"),
    *("Makefile", "Jenkinsfile", "pyproject.toml", "requirements.txt", "setup.py", "setup.cfg", "Pipfile"),
    *("package.json", "go.mod", "environment.yml", "a.go", "a.js", "a.sql", ".env", "a.md", "config.pbtxt"),
    *(".github/workflows/a.yml", "MLproject", "x.dvc"),
]
PIECES = [*"\n :-#'\"[]{}|>&*=\\$\t%!", "image", "a", "redis", "FROM ", "- ", ": "]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(NAMES),
    data=st.one_of(
        st.binary(max_size=400),
        st.text(max_size=400).map(str.encode),
        st.lists(st.sampled_from(PIECES), max_size=120).map(lambda parts: "".join(parts).encode()),
    ),
)
def test_any_content_is_survived(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    first = scan(tmp_path)
    assert scan(tmp_path) == first
    lines = data.count(b"\n") + data.count(b"\r") + 1
    assert all(1 <= finding.line <= lines for finding in first if finding.path == name)
    path.unlink()
