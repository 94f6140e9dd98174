import subprocess
import sys

import msgspec
import pytest


def run(*words, cwd):
    command = [sys.executable, "-m", "bluegold", *map(str, words)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False
    )


def test_spanish_spellings_mean_the_same(folder, tmp_path):
    options = (
        "--repo",
        folder,
        "--modo",
        "desatendido",
        "--formato",
        "dual",
        "--variante",
        "ejecutiva",
        "--lang",
        "es",
    )
    done = run("design", "parcels", *options, "--out", tmp_path / "o", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = msgspec.json.decode(done.stdout)
    assert found["failed"] == []
    assert found["document"].endswith("_Executive.html")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("design",), 2, "name of the system is missing"),
        (("design", "x", "--mode", "reckless"), 2, "no mode 'reckless'"),
        (("design", "x", "--format", "pdf"), 2, "no format 'pdf'"),
        (("design", "x", "--repo", "nowhere"), 2, "not a folder"),
        (("where", "AP-99"), 2, "AP-99"),
        (("assess", "nowhere"), 1, "nowhere"),
    ],
)
def test_bad_input_gets_one_sentence(words, status, said, tmp_path):
    done = run(*words, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_name_that_the_definition_does_not_have_is_refused(folder, tmp_path):
    done = run("design", "other", "--repo", folder, cwd=tmp_path)
    assert done.returncode == 2
    assert "parcels" in done.stderr


def test_assess_says_what_is_missing(folder, tmp_path):
    done = run("assess", folder, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = msgspec.json.decode(done.stdout)["rows"]
    assert {row["section"] for row in rows} == {"S1", "S2", "S3", "S4", "S5", "S6"}
    assert any(row["status"] == "missing" for row in rows)


def test_a_folder_without_machine_learning_is_not_assessed(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("import os\nprint(os.getcwd())\n")
    done = run("assess", "app", cwd=tmp_path)
    assert done.returncode == 1
    assert "shows no machine learning" in done.stderr
    assert "designs one that is yet to be built" in done.stderr
