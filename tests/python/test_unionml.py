"""Apps that were written for UnionML: they run with their import line changed.

Expected values are those that UnionML 0.2.1 gave for the same apps, where it gave the right ones.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import penstock
from penstock import Dataset, Model

READY_S_MAX = 60

QUICKSTART = """
from typing import List
import pandas as pd
from fastapi import FastAPI
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from penstock import Dataset, Model

dataset = Dataset(name="digits_dataset", test_size=0.2, shuffle=True, targets=["target"])
model = Model(
    name="digits_classifier",
    init=LogisticRegression,
    dataset=dataset,
    hyperparameter_config={"C": float, "max_iter": int},
)

@dataset.reader
def reader() -> pd.DataFrame:
    return load_digits(as_frame=True).frame

@model.trainer
def trainer(
    estimator: LogisticRegression, features: pd.DataFrame, target: pd.DataFrame
) -> LogisticRegression:
    return estimator.fit(features, target.squeeze())

@model.predictor
def predictor(estimator: LogisticRegression, features: pd.DataFrame) -> List[float]:
    return [float(x) for x in estimator.predict(features)]

@model.evaluator
def evaluator(
    estimator: LogisticRegression, features: pd.DataFrame, target: pd.DataFrame
) -> float:
    return float(accuracy_score(target.squeeze(), predictor(estimator, features)))

app = FastAPI()
model.serve(app)

if __name__ == "__main__":
    model_object, metrics = model.train(hyperparameters={"C": 1.0, "max_iter": 10000})
    predictions = model.predict(
        features=load_digits(as_frame=True).frame.sample(5, random_state=42)
    )
    print({"metrics": metrics, "predictions": predictions})
    model.save("model_object.joblib")
"""


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the quickstart as a script and return its folder and what it printed."""
    folder = tmp_path_factory.mktemp("quickstart")
    (folder / "app.py").write_text(QUICKSTART)
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=folder, capture_output=True, text=True, check=True
    )
    return folder, done.stdout


def test_the_quickstart(quickstart: tuple[Path, str]) -> None:
    said = json.loads(quickstart[1].replace("'", '"'))
    assert said["metrics"] == {"train": 1.0, "test": pytest.approx(0.96389, abs=1e-5)}
    assert said["predictions"] == [6.0, 9.0, 3.0, 7.0, 2.0]


@contextlib.contextmanager
def served(folder: Path, **environment: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)]
    path = {"PATH": "/usr/bin:/bin", **environment}
    server = subprocess.Popen(command, cwd=folder, env=path, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + READY_S_MAX
        while True:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(url, timeout=5)
                break
            assert server.poll() is None and time.monotonic() < end, "uvicorn did not start"
            time.sleep(0.05)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_the_quickstart_behind_fastapi(quickstart: tuple[Path, str]) -> None:
    rows = load_digits(as_frame=True).frame.sample(5, random_state=42).drop(columns="target")
    records = json.loads(rows.to_json(orient="records"))
    with served(quickstart[0], UNIONML_MODEL_PATH="model_object.joblib") as url:

        def ask(body: Any) -> requests.Response:
            return requests.post(f"{url}/predict", json=body, timeout=30)

        assert requests.get(f"{url}/health", timeout=30).json() == {"message": "OK", "status": 200}
        assert "digits_classifier" in requests.get(url, timeout=30).text
        assert ask({"features": records}).json() == [6.0, 9.0, 3.0, 7.0, 2.0]
        assert len(ask({"inputs": {}}).json()) == len(load_digits().data)
        for body, told in [
            ({}, "'features' is missing"),
            (
                {"features": [{"a": 1}]},
                "features has no column 'pixel_0_0', which the model was trained on",
            ),
            ({"features": []}, "features has no rows"),
            ({"inputs": {"rows": 3}}, "which the reader 'reader' does not take"),
        ]:
            response = ask(body)
            assert response.status_code == 422, body
            assert told in response.json()["detail"]


def test_the_service_without_a_model_says_so(quickstart: tuple[Path, str]) -> None:
    with served(quickstart[0]) as url:
        response = requests.get(f"{url}/health", timeout=30)
        assert response.status_code == 503
        assert "set PENSTOCK_MODEL_PATH" in response.json()["detail"]
        features = {"features": [{}]}
        assert requests.post(f"{url}/predict", json=features, timeout=30).status_code == 503


def test_the_pipeline_of_the_mnist_tutorial() -> None:
    dataset = Dataset(name="mnist_dataset", test_size=0.2, shuffle=True, targets=["class"])
    model = Model(name="mnist_classifier", dataset=dataset)

    @dataset.reader(cache=True, cache_version="1")
    def reader(n_samples: int = 1000, random_state: int = 42) -> pd.DataFrame:
        pixels, labels = load_digits(return_X_y=True)
        frame = pd.DataFrame(pixels, columns=[f"pixel{i + 1}" for i in range(64)])
        return frame.assign(**{"class": labels}).sample(n_samples, random_state=random_state)

    @dataset.feature_loader
    def feature_loader(data: np.ndarray | pd.DataFrame) -> pd.DataFrame:
        if isinstance(data, np.ndarray):
            return pd.DataFrame([data.ravel()], columns=[f"pixel{i + 1}" for i in range(64)])
        return data

    @model.init
    def init(hyperparameters: dict) -> Pipeline:
        estimator = Pipeline([("scaler", StandardScaler()), ("classifier", LogisticRegression())])
        return estimator.set_params(**hyperparameters)

    @model.trainer(cache=True, cache_version="1")
    def trainer(estimator: Pipeline, features: pd.DataFrame, target: pd.DataFrame) -> Pipeline:
        return estimator.fit(features, target.squeeze())

    @model.predictor
    def predictor(estimator: Pipeline, features: pd.DataFrame) -> list:
        return [float(x) for x in estimator.predict(features)]

    @model.evaluator
    def evaluator(estimator: Pipeline, features: pd.DataFrame, target: pd.DataFrame) -> float:
        return float(accuracy_score(target, predictor(estimator, features)))

    settings = {"classifier__C": 0.1, "classifier__max_iter": 1000}
    _, metrics = model.train(hyperparameters=settings, n_samples=800, random_state=1)
    assert metrics["test"] > 0.9
    picture = load_digits().images[0]
    assert model.predict(features=picture) == [0.0]


def test_an_app_that_reads_sql(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.normal(size=(30, 3)), columns=["x1", "x2", "x3"])
    rows["y"] = (rows["x1"] > 0).astype(int)
    with sqlite3.connect(tmp_path / "data.db") as database:
        rows.to_sql("data", database, index=False)
    database.close()
    query = "SELECT * FROM data LIMIT {limit}"
    dataset = Dataset(
        name="sql_dataset", source=f"sqlite:///{tmp_path}/data.db?query={query}", targets=["y"]
    )
    model = Model(name="sql_model", init=LogisticRegression, dataset=dataset)
    model.train(hyperparameters={"C": 1.0}, limit=50)
    by_reader = model.predict(limit=5)
    np.testing.assert_array_equal(by_reader, model.predict(features=rows.head(5)))


# What UnionML 0.2.1 does wrong.


def numbers(**settings: Any) -> Dataset:
    frame = pd.DataFrame({"a": range(40), "b": range(40, 0, -1), "y": [0, 1] * 20})
    return Dataset("numbers", source=lambda: frame, targets=["y"], **settings)


def test_arguments_of_loader_splitter_and_parser_arrive() -> None:
    seen = []
    model = Model("m", LogisticRegression, dataset=numbers())

    @model.trainer
    def fit(model: Any, X: pd.DataFrame, y: pd.DataFrame) -> Any:
        seen.append((len(X), list(X.columns)))
        return model.fit(X, y.squeeze())

    model.train(splitter_kwargs={"test_size": 0.5}, parser_kwargs={"features": ["b"]})
    assert seen == [(20, ["b"])]


def test_features_are_transformed_once_wherever_a_prediction_comes_from() -> None:
    dataset = numbers()
    scaled = []

    @dataset.feature_transformer
    def transform(features: pd.DataFrame) -> pd.DataFrame:
        scaled.append(len(features))
        return features / 16

    model = Model("m", LogisticRegression, dataset=dataset)
    fitted, _ = model.train()
    rows = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    scaled.clear()
    np.testing.assert_array_equal(model.predict(rows), fitted.predict(rows / 16))
    assert scaled == [2]


def test_listed_features_are_the_features_of_training_too() -> None:
    model = Model("m", LogisticRegression, dataset=numbers(features=["b"]))
    fitted, _ = model.train()
    assert list(fitted.feature_names_in_) == ["b"]
    assert len(model.predict([{"a": 1, "b": 2}])) == 1


def test_a_loader_may_change_the_type_and_is_used_in_batch_prediction() -> None:
    dataset = Dataset("paths", targets=["y"])

    @dataset.reader
    def read() -> str:
        return "a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(20))

    @dataset.loader
    def load(text: str) -> pd.DataFrame:
        rows = [line.split(",") for line in text.split()]
        return pd.DataFrame(rows[1:], columns=rows[0]).astype(int)

    model = Model("m", LogisticRegression, dataset=dataset)
    model.train()
    assert len(model.predict()) == 20


def test_defaults_of_reader_and_trainer_are_honoured() -> None:
    dataset = Dataset("d", targets=["y"])
    seen = []

    @dataset.reader
    def read(rows: int = 12) -> pd.DataFrame:
        return pd.DataFrame({"x": range(rows), "y": [0, 1] * (rows // 2)})

    model = Model("m", LogisticRegression, dataset=dataset)

    @model.trainer
    def fit(model: Any, X: Any, y: Any, *, epochs: int = 3) -> Any:
        seen.append((len(X), epochs))
        return model.fit(X, y.squeeze())

    model.train()
    assert seen == [(9, 3)]


def test_metrics_and_hyperparameters_survive_a_file(tmp_path: Path) -> None:
    model = Model("m", LogisticRegression, dataset=numbers())
    model.train(hyperparameters={"C": 2.0})
    model.save(tmp_path / "m.joblib")
    other = Model("m", LogisticRegression, dataset=numbers())
    other.load(tmp_path / "m.joblib")
    assert other.artifact == penstock.ModelArtifact(
        other.artifact.model_object, {"C": 2.0}, model.artifact.metrics
    )


def test_a_remote_backend_is_accepted_and_told_what_it_maps_to(caplog: Any) -> None:
    model = Model("m", LogisticRegression, dataset=numbers())
    model.remote(dockerfile="Dockerfile", project="unionml", domain="development")
    assert "maps to the context 'local'" in caplog.text
