"""Small code bases that tests write to a folder: one with everything that goes wrong, one that is in order."""

BIKES = {
    "training/train.py": '''"""Train the demand model."""
import joblib
import mlflow
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split


def clean(frame):
    frame = frame.dropna(subset=["count"])
    frame["hour"] = frame["at"].dt.hour + 1
    return frame[frame["count"] > 0]


rows = clean(pd.read_csv("data/rides.csv", parse_dates=["at"]))
rows["rush"] = rows["hour"].isin([8, 9, 17, 18])
x_train, x_test, y_train, y_test = train_test_split(rows[["hour", "rush"]], rows["count"])
with mlflow.start_run():
    model = RandomForestRegressor(n_estimators=200)
    model.fit(x_train, y_train)
    mlflow.log_metric("mae", mean_absolute_error(y_test, model.predict(x_test)))
joblib.dump(model, "models/demand.pkl")
''',
    "serving/app.py": '''import joblib
import redis
from fastapi import FastAPI

app = FastAPI()
model = joblib.load("models/demand.pkl")
cache = redis.Redis(host="cache")
STORE = "postgresql://rides:Vq8rTzLm2@db:5432/rides"


def tidy(table):
    """The same as in training, under another name."""
    table = table.dropna(subset=["count"])
    table["hour"] = table["at"].dt.hour + 1
    return table[table["count"] > 0]


@app.post("/predict")
def predict(ride: dict):
    features = {"status": str(ride).strip(), "rush": ride["hour"] in (8, 9, 17)}
    return {"count": float(model.predict([list(features.values())])[0])}
''',
    "dags/retrain.py": """from airflow import DAG
from airflow.operators.bash import BashOperator

with DAG("retrain", schedule="@daily") as dag:
    BashOperator(task_id="train", bash_command="python training/train.py")
""",
    "requirements.txt": "pandas\nscikit-learn>=1.0\nfastapi==0.110\nmlflow\n",
    "Dockerfile": 'FROM python:latest\nCOPY . .\nCMD ["uvicorn", "serving.app:app"]\n',
}

ORDERLY = {
    "shop/features.py": """import pandas as pd


def features(frame: pd.DataFrame) -> pd.DataFrame:
    frame["hour"] = frame["at"].dt.hour * 2
    return frame
""",
    "shop/train.py": """import mlflow
import pandas as pd
import pandera as pa
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from shop.features import features

rows = features(pa.DataFrameSchema({"at": pa.Column("datetime64[ns]")}).validate(pd.read_parquet("s3://lake/rows")))
model = RandomForestClassifier(random_state=7)
model.fit(rows[["hour"]], rows["sold"])
print(roc_auc_score(rows["sold"], model.predict(rows[["hour"]])))
mlflow.sklearn.log_model(model, "model", registered_model_name="shop")
client = mlflow.MlflowClient()
client.set_registered_model_alias("shop", "champion", 1)
""",
    "shop/serve.py": """import mlflow
from fastapi import FastAPI
from prometheus_client import Counter

from shop.features import features

app = FastAPI()
answers = Counter("answers", "answers given")
model = mlflow.pyfunc.load_model("models:/shop@champion")


@app.post("/predict")
def predict(row: dict):
    answers.inc()
    return model.predict(features(row))
""",
    "requirements.txt": "pandas==2.2.0\nscikit-learn==1.4.0\n",
    ".github/workflows/ci.yml": "on: push\njobs:\n  test:\n    steps:\n      - run: pytest\n",
    "Dockerfile": "FROM python:3.11.7-slim AS base\nFROM base\nCOPY . .\n",
    "deploy/.env.example": "API_KEY=your-key-here\nDB_PASSWORD=${DB_PASSWORD}\n",
}


def grow(files, folder):
    """Write a code base below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
