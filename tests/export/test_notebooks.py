"""Notebooks become stages: they run where the notebook ran and give what it gave."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bluegold.core.errors import DataError
from bluegold.export.notebooks import Converted, convert

Source = str | tuple[str, str]

TRAIN: tuple[Source, ...] = (
    (
        "%load_ext autoreload\n!pip install -q polars\nimport numpy as np\nimport polars as pl\n"
        "from sklearn.ensemble import RandomForestClassifier\nfrom sklearn.metrics import roc_auc_score\n"
        "from sklearn.model_selection import train_test_split\nfrom sklearn.preprocessing import StandardScaler"
    ),
    ("seed = 7\ntrees = 12\nshare = 0.25", "parameters"),
    (
        'COLUMNS = ["a", "b", "ratio"]\n\n\ndef ratio(rows, above, below):\n    """One column\n    over another."""\n'
        "    return rows[above] / rows[below]"
    ),
    "np.random.seed(seed)\nrows = pl.read_csv('rows.csv')\nrows.head()",
    ("import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.hist(rows['a'])\nplt.show()", "drawing"),
    "limit = rows['b'].median()\ndef above(values):\n    return values > limit",
    (
        "# one over the other\nrows = rows.with_columns(ratio(rows, 'a', 'b').alias('ratio'))\n"
        "X = rows.select(COLUMNS).to_numpy() + np.random.normal(size=(rows.height, 1)) * 0.01; y = rows['y']\n"
        "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=share, random_state=seed)\n"
        "scaler = StandardScaler().fit(X_train)"
    ),
    (
        "%%time\nmodel = RandomForestClassifier(n_estimators=trees, random_state=seed)\n"
        "model.fit(scaler.transform(X_train), y_train)"
    ),
    (
        "X_test = scaler.transform(X_test)\nscores = model.predict_proba(X_test)[:, 1]\n"
        "if len(scores) > 10:\n    auc = roc_auc_score(y_test, scores)\n"
        "print(f'auc {auc:.9f} above {int(above(rows[\"b\"]).sum())}')"
    ),
    "%%bash\nls",
)
#: the notebook from top to bottom, as a kernel runs it: without its magics, and without drawing
REFERENCE = """
import json, sys
book = json.load(open(sys.argv[1]))
space = {"__name__": "__main__"}
for cell in book["cells"]:
    if cell["cell_type"] == "code" and "drawing" not in cell["metadata"].get("tags", ()):
        text = cell["source"]
        if not text.startswith("%%bash"):
            exec("\\n".join(line for line in text.split("\\n") if not line.startswith(("%", "!"))), space)
    if cell["metadata"].get("tags") == ["parameters"]:
        space |= json.loads(sys.argv[2])
"""


def write(path: Path, *cells: Source, language: str = "python") -> Path:
    """A notebook file of code cells; a pair is (code, tag)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, Any]] = [{"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "words"]}]
    for cell in cells:
        code, tag = (cell, "") if isinstance(cell, str) else cell
        metadata = {"tags": [tag]} if tag else {}
        found.append({"cell_type": "code", "metadata": metadata, "source": code, "outputs": []})
    kernel = {"kernelspec": {"language": language, "name": language}}
    path.write_text(json.dumps({"cells": found, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    return path


def emit(found: Converted, folder: Path) -> None:
    for name, text in found.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def ran(words: list[str], folder: Path) -> str:
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    rows = "\n".join(f"{(i * 7919) % 97 + 1},{(i * 104729) % 89 + 1},{int((i * 7919) % 97 > 40)}" for i in range(300))
    path = write(tmp_path / "work" / "01 Train.ipynb", *TRAIN)
    (path.parent / "rows.csv").write_text("a,b,y\n" + rows)
    return path


@pytest.mark.parametrize("given", [{}, {"trees": 5, "seed": 3}])
def test_stages_give_what_the_notebook_gave(notebook: Path, tmp_path: Path, given: dict[str, int]) -> None:
    reference = ran(["-c", REFERENCE, notebook.name, json.dumps(given)], notebook.parent)
    target = tmp_path / "system"
    emit(convert(notebook, target), target)
    words = [word for name, value in given.items() for word in ("-p", name, str(value))]
    assert reference.startswith("auc ")
    assert ran(["-m", "stages.train.run", *words], target) == reference


def test_cells_are_told_apart(notebook: Path, tmp_path: Path) -> None:
    found = convert(notebook, tmp_path)
    assert [stage for stage, *_ in found.stages] == ["load", "features", "train", "evaluate"]
    takes = {name: set(taken) for name, _, taken, _ in found.stages}
    assert takes["load"] == {"seed"}
    assert {"X_train", "scaler", "trees"} <= takes["train"]
    assert (found.data, found.target) == ("rows.csv", "y")
    assert found.parameters == ("seed", "share", "trees")
    reasons = {item.reason for item in found.aside}
    assert {"it only draws", "it only shows a value", "a shell or magic line"} <= reasons
    assert "def ratio" in found.files["stages/train/common.py"]
    assert "matplotlib" not in "".join(text for name, text in found.files.items() if name.endswith(".py"))


def test_values_that_papermill_injected_are_the_defaults(tmp_path: Path) -> None:
    path = write(
        tmp_path / "n.ipynb", ("a = 1\nb = a * 2", "parameters"), ("a = 5", "injected-parameters"), "c = a + b"
    )
    emit(convert(path, tmp_path), tmp_path)
    code = "from stages.n.run import run; print(run()['c'], run(a=10)['c'])"
    assert ran(["-c", code], tmp_path) == "7 12\n"


def test_names_are_never_hidden(tmp_path: Path) -> None:
    """A notebook may call its own functions `load` and `train`, bind on one path only, and query by name."""
    path = write(
        tmp_path / "n.ipynb",
        "import polars as pl\ndef load(n):\n    return pl.DataFrame({'a': list(range(n))})",
        "rows = load(6)\nrows = rows.with_columns(b=pl.col('a') * 2)",
        "found = rows.height\nname = 1\nif found > 3:\n    name = 2",
        "value = [name for name in range(3)]\ntotal = found + name + sum(value)",
        "model = type('M', (), {'fit': lambda self, x: self, 'score': lambda self, x: total})()\nmodel.fit(rows)",
        "result = model.score(rows)",
    )
    emit(convert(path, tmp_path), tmp_path)
    assert ran(["-c", "from stages.n.run import run; print(run()['result'])"], tmp_path) == "11\n"


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (("x = 1 +",), "cell 2, line 1, is not Python"),
        (("await x",), "waits at its top level"),
        (("y = [await x for x in z]",), "waits at its top level"),
        (("y = unknown + 1",), "uses 'unknown', which nothing before it gives"),
        (("files = !ls\nprint(files)",), "'files' takes its value from the shell"),
        (("n = 0\ndef up():\n    global n\n    n += 1",), "declares n global"),
        (("# nothing",), "computes nothing"),
        (("%%bash\nls",), "has no code"),
        (
            (
                "import polars as pl\nrows = pl.read_csv('a')\nk = 1\ndef f():\n    return k",
                "f().fit(rows)\nk = 2\nf()",
            ),
            "looks up 'k', which a later part gives again",
        ),
    ],
)
def test_what_cannot_be_said_as_stages_is_named(tmp_path: Path, cells: tuple[str, ...], said: str) -> None:
    with pytest.raises(DataError, match=said.replace("'", ".")) as caught:
        convert(write(tmp_path / "n.ipynb", *cells), tmp_path)
    assert "Way out" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"), [("{", "is not a notebook"), ("[]", "is not a notebook"), ('{"cells": []}', "has no code")]
)
def test_broken_files_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "n.ipynb").write_text(text)
    with pytest.raises(DataError, match=said):
        convert(tmp_path / "n.ipynb", tmp_path)


def test_other_languages_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="written in r"):
        convert(write(tmp_path / "n.ipynb", "library(xgboost)", language="R"), tmp_path)
