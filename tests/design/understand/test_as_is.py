import json
import runpy
from pathlib import Path

import pytest

from bluegold.design.scan import scan
from bluegold.design.understand import understand
from bluegold.design.understand.risks import risk_rows

BASES = runpy.run_path(str(Path(__file__).parents[1] / "repositories.py"))
BIKES, ORDERLY, grow = BASES["BIKES"], BASES["ORDERLY"], BASES["grow"]


@pytest.fixture(scope="module")
def bikes(tmp_path_factory):
    folder = grow(BIKES, tmp_path_factory.mktemp("bikes"))
    return understand(folder, scan(folder))


@pytest.fixture(scope="module")
def orderly(tmp_path_factory):
    folder = grow(ORDERLY, tmp_path_factory.mktemp("orderly"))
    return understand(folder, scan(folder))


def as_found(files, folder):
    grow(files, folder)
    return understand(folder, scan(folder))


def risks(found):
    return {risk.row.id: risk for risk in found.risks}


def line_of(files, path, text):
    return next(n for n, line in enumerate(files[path].split("\n"), 1) if text in line)


@pytest.mark.parametrize(
    ("activity", "path", "text"),
    [
        ("ingest", "training/train.py", "read_csv"),
        ("transform", "training/train.py", 'frame["hour"]'),
        ("train", "training/train.py", "model.fit"),
        ("evaluate", "training/train.py", "mean_absolute_error(y_test"),
        ("track", "training/train.py", "start_run"),
        ("save", "training/train.py", "joblib.dump"),
        ("orchestrate", "dags/retrain.py", "with DAG"),
        ("serve", "serving/app.py", "@app.post"),
        ("deploy", "Dockerfile", "FROM"),
    ],
)
def test_each_activity_is_cited_by_the_call_that_shows_it(bikes, activity, path, text):
    assert bikes.activity(activity).places[0].cited == f"{path}:{line_of(BIKES, path, text)}"


def test_what_a_system_does_not_do_is_not_claimed(bikes):
    assert not bikes.does("register", "monitor", "check", "tune", "score", "integrate")


def test_stores_say_what_the_code_around_them_does(bikes):
    held = {store.technology: store for store in bikes.stores}
    assert held["redis"].kind == "key_value"
    assert held["postgresql"].places[0].path == "serving/app.py"
    assert set(held["local files"].holds) == {"source data", "model files"}


def test_a_system_with_everything_wrong_shows_every_risk_of_it(bikes):
    assert set(risks(bikes)) == {
        "no-registry", "training-serving-duplication", "unsafe-loading", "secrets", "unpinned-environment",
        "no-data-checks", "no-seed", "no-monitoring", "no-rollback", "no-ci",
    }  # fmt: skip


def test_a_system_in_order_shows_none(orderly):
    assert risks(orderly) == {}
    assert orderly.does("register", "check", "monitor", "integrate")


def test_a_copied_function_is_found_under_another_name_and_a_column_with_another_expression(bikes):
    shown = [(place.path, place.shows) for place in risks(bikes)["training-serving-duplication"].places]
    assert ("serving/app.py", "tidy()") in shown
    assert ("serving/app.py", "'rush': another expression") in shown
    assert not any("'status'" in text for _, text in shown)


def test_a_secret_is_placed_and_never_repeated(bikes):
    found = risks(bikes)["secrets"].places
    assert [place.cited for place in found] == [f"serving/app.py:{line_of(BIKES, 'serving/app.py', 'STORE')}"]
    assert "Vq8rTzLm2" not in str(bikes)


@pytest.mark.parametrize(
    ("name", "text", "secret"),
    [
        ("a.py", 'API_KEY = "f3Jk29dLmQ8xTz71"', True),
        ("a.yaml", "db:\n  password: qh7-Rt2k", True),
        ("a.env", "SLACK_TOKEN=xoxb-1234567890-abcdef", True),
        ("a.tf", 'access_key = "AKIAIOSFODNN7EXAMPLQ"', True),
        ("a.py", 'client.api_key = "sk_live_9aR2vQ7LmX81zTkW"', True),
        ("a.py", 'client.api_key = "pk_live_9aR2vQ7LmX81zTkW"', False),
        ("a.py", 'client.api_key = "phc_9aR2vQ7LmX81zTkWb3Nd"', False),
        ("a.py", 'token = os.environ["TOKEN"]', False),
        ("a.yaml", "password: ${DB_PASSWORD}", False),
        ("a.yaml", "pad_token: '[PAD]'\nmax_tokens: 4096000000", False),
        ("a.env", "API_KEY=your-api-key-here", False),
        ("a.py", '# password = "qh7-Rt2kLm"', False),
        ("a.py", 'url = "postgresql://user:password@localhost/db"', False),
        ("a.py", 'url = "mongodb://root:root@localhost/db"', False),
        ("a.py", 'db_password: str = Field(default="qh7-Rt2kLm")', True),
        ("a.py", 'sample = """\nlogin(password="qh7-Rt2kLm")\n"""', False),
        ("a.yaml", "FERNET_KEY: 81HqDtbqAywKSOumSha3BhWN", True),
        ("a.toml", '[project.scripts]\nhash-password = "shop.tools.passwords:main"', False),
    ],
)
def test_secrets_by_name_form_and_randomness(tmp_path, name, text, secret):
    assert ("secrets" in risks(as_found({name: text}, tmp_path))) is secret


@pytest.mark.parametrize(
    ("files", "loose"),
    [
        ({"requirements.txt": "numpy\n"}, True),
        ({"requirements.txt": "numpy==1.26.0\n"}, False),
        ({"requirements.in": "numpy\n", "requirements.lock": "numpy==1.26.0\n"}, False),
        ({"compose.yaml": "services:\n  a:\n    image: redis\n"}, True),
        ({"compose.yaml": "services:\n  a:\n    image: redis:7.2\n"}, False),
        ({"Dockerfile": "FROM python:3.11 AS a\nFROM a\n"}, False),
        ({"compose.yaml": "services:\n  a:\n    build: .\n    image: shop\n"}, False),
        ({"compose.yaml": "services:\n  a:\n    image: shop\n  b:\n    build: .\n"}, True),
        ({"pyproject.toml": '[project]\ndependencies = ["numpy>=1"]\n'}, True),
        ({"pyproject.toml": '[project]\ndependencies = ["numpy>=1"]\n', "requirements.txt": "numpy==1.26.0\n"}, False),
        ({"Pipfile": '[packages]\nnumpy = "==1.26.0"\n'}, False),
        ({"Pipfile": '[packages]\nnumpy = "*"\n'}, True),
    ],
)
def test_an_environment_is_pinned_or_not(tmp_path, files, loose):
    assert ("unpinned-environment" in risks(as_found(files, tmp_path))) is loose


@pytest.mark.parametrize(
    ("load", "unsafe"),
    [
        ("torch.load('m.pt')", True),
        ("torch.load('m.pt', weights_only=True)", False),
        ("torch.load('m.pt', weights_only=False)", True),
        ("np.load('x.npy')", False),
        ("np.load('x.npy', allow_pickle=True)", True),
    ],
)
def test_loading_is_unsafe_by_its_arguments(tmp_path, load, unsafe):
    code = f"import torch\nimport numpy as np\nmodel = {load}\n"
    assert ("unsafe-loading" in risks(as_found({"a.py": code}, tmp_path))) is unsafe


def test_a_scaler_that_is_fitted_trains_no_model_and_a_plain_fit_needs_a_framework(tmp_path):
    scaler = "from sklearn.preprocessing import StandardScaler\nscaler = StandardScaler()\nscaler.fit([[1]])\n"
    other = "from shop import Suit\nSuit().fit('you')\n"
    found = as_found({"a.py": scaler, "b.py": other}, tmp_path)
    assert not found.does("train")
    assert found.does("transform")


@pytest.mark.parametrize(
    ("arguments", "seedless"), [("", True), ("random_state=None", True), ("random_state=7", False), ("**given", False)]
)
def test_a_draw_is_seeded_or_not_or_cannot_be_told(tmp_path, arguments, seedless):
    code = f"from sklearn.ensemble import RandomForestClassifier as R\nmodel = R({arguments})\nmodel.fit(x, y)\n"
    assert ("no-seed" in risks(as_found({"a.py": code}, tmp_path))) is seedless


def test_a_notebook_is_cited_by_the_line_of_its_file(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": "# model.fit(x)"},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "from sklearn.svm import SVC\n"]},
        {"cell_type": "code", "source": ["model = SVC()\n", "model.fit(x, y)"]},
    ]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)
    found = as_found({"explore.ipynb": text}, tmp_path)
    line = next(n for n, row in enumerate(text.split("\n"), 1) if "model.fit(x, y)" in row)
    assert found.activity("train").places[0].cited == f"explore.ipynb:{line}"
    assert "notebook-production" in risks(found)


def test_tests_and_vendored_code_are_not_the_system(tmp_path):
    code = "from sklearn.svm import SVC\nSVC().fit([[1]], [1])\n"
    found = as_found({"app.py": "print(1)", "tests/test_a.py": code, "vendor/b.py": code}, tmp_path)
    assert found.activities == ()


def test_hostile_sources_are_passed_over(tmp_path):
    deep = "x = " + "(" * 5000 + ")" * 5000
    found = as_found({"a.py": deep, "b.py": "def broken(:", "c.ipynb": "{", "d.py": "\x00"}, tmp_path)
    assert found.activities == ()


def test_every_risk_says_why_and_what_answers_it():
    for row in risk_rows():
        assert row.why
        assert row.answer
        assert not row.why.endswith(".")


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("import pandas\ndef validate_columns(df):\n    if df.empty:\n        raise ValueError\n", "check"),
        ("import pandas\ndef validate_columns(df):\n    return df\n\n\nraise ValueError\n", ""),
        ("import os\ndef validate_columns(df):\n    raise ValueError\n", ""),
        ("import numpy as np\ndef feature_drift(a, b):\n    return np.abs(a.mean() - b.mean())\n", "monitor"),
        ("import numpy as np\ndef plot_drift(a, b):\n    return np.abs(a.mean() - b.mean())\n", ""),
        ("import mlflow\ndef lambda_handler(event, context):\n    return 1\n", "serve"),
        ("import os\ndef lambda_handler(event, context):\n    return 1\n", ""),
    ],
)
def test_functions_written_by_hand_show_what_they_do(tmp_path, code, shown):
    found = as_found({"a.py": code}, tmp_path)
    assert [(one.id, one.places[0].cited) for one in found.activities] == ([(shown, "a.py:2")] if shown else [])
