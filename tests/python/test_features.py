"""What stands before and behind a model in an app: feature functions and callbacks, in services."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import Normalizer, StandardScaler

import penstock
from penstock import Dataset, InvalidArgumentError, Model, UnimplementedError
from penstock._app.training import check_rows_stand_alone

SECONDS_MAX = 30
FRAME = load_breast_cancer(as_frame=True).frame.iloc[:, [0, 1, 2, -1]]
ROWS = FRAME.drop(columns="target")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PENSTOCK_HOME", str(tmp_path / "home"))
    return tmp_path


def ratio(X: pd.DataFrame) -> pd.DataFrame:
    if (X["mean texture"] == 0).any():
        raise ValueError("mean texture is 0")
    return X.assign(ratio=X["mean radius"] / X["mean texture"])


def trained(transformer: Any, **predictor: Any) -> Model:
    dataset = Dataset("cancer", source=lambda: FRAME, targets=["target"])
    if transformer is not None:
        dataset.feature_transformer(transformer)
    model = Model("cancer", LogisticRegression, dataset=dataset)
    if predictor:

        @model.predictor(**predictor)
        def predict(model: Any, X: Any) -> Any:
            return model.predict(X)

    model.train(hyperparameters={"max_iter": 5000})
    return model


def in_place(X: pd.DataFrame) -> pd.DataFrame:
    X["mean radius"] = X["mean radius"] / 10
    return X.assign(ratio=X["mean radius"] / X["mean texture"])


def asked(service: penstock.Service, rows: pd.DataFrame) -> list[Any]:
    body = {"features": rows.to_dict(orient="records")}
    answer = requests.post(service.url + "/predict", json=body, timeout=SECONDS_MAX)
    assert answer.status_code == 200, answer.text
    predictions: list[Any] = answer.json()["predictions"]
    return predictions


def test_a_transformer_runs_once_in_training_prediction_and_service() -> None:
    before = FRAME.copy()
    model = trained(in_place)
    version = model.register()
    pd.testing.assert_frame_equal(FRAME, before)
    assert version.engine == "python"
    assert "feature_transformer 'in_place' is a function of Python" in version.engine_reason
    fitted = model.artifact.model_object  # type: ignore[union-attr]
    assert list(fitted.feature_names_in_)[-1] == "ratio"
    features = in_place(ROWS.copy())
    np.testing.assert_array_equal(model.predict(ROWS), fitted.predict(features))
    np.testing.assert_array_equal(version.predict(ROWS), fitted.predict(features))
    with version.serve() as service:
        for rows in (ROWS.head(1), ROWS.head(40)):
            answer = asked(service, rows)
            np.testing.assert_array_equal(answer, fitted.predict(features.head(len(rows))))


@pytest.mark.parametrize(
    "transformer",
    [StandardScaler().fit(ROWS), Normalizer()],
    ids=["fitted", "stateless"],
)
def test_a_transformer_of_scikit_learn_is_fused(transformer: Any) -> None:
    model = trained(transformer)
    version = model.register()
    fitted = model.artifact.model_object  # type: ignore[union-attr]
    assert version.engine in ("own", "onnxruntime"), version.engine_reason
    np.testing.assert_array_equal(
        version.predict(ROWS), fitted.predict(transformer.transform(ROWS))
    )
    np.testing.assert_array_equal(model.predict(ROWS), fitted.predict(transformer.transform(ROWS)))


def test_a_predictor_behind_a_fused_transformer_stays_native() -> None:
    version = trained(StandardScaler().fit(ROWS), name="predict").register()
    assert version.engine == "own", version.engine_reason


@pytest.mark.parametrize(
    "transformer",
    [lambda X: X - X.mean(), lambda X: X.assign(rank=X["mean radius"].rank())],
    ids=["centred", "ranked"],
)
def test_what_is_learned_of_many_rows_is_no_transformer(transformer: Callable[[Any], Any]) -> None:
    model = trained(transformer)
    with pytest.raises(
        InvalidArgumentError, match="'<lambda>' makes .* in place of .* comes alone"
    ):
        model.register()
    with pytest.raises(penstock.NotFoundError):
        penstock.load("cancer")


def test_a_transformer_keeps_every_row() -> None:
    with pytest.raises(InvalidArgumentError, match="'drop' makes .* rows of 20; a service answers"):
        check_rows_stand_alone(drop, ROWS)


def drop(X: pd.DataFrame) -> pd.DataFrame:
    return X[X["mean radius"] > X["mean radius"].median()]


def test_neither_is_what_makes_columns_of_values() -> None:
    def dummies(X: pd.DataFrame) -> pd.DataFrame:
        return pd.get_dummies(X.round(-1).astype(str))

    with pytest.raises(InvalidArgumentError, match="makes another number of features of row 0"):
        check_rows_stand_alone(dummies, ROWS)


def test_a_feature_loader_is_refused_before_training_is_lost(home: Path) -> None:
    dataset = Dataset("cancer", source=lambda: FRAME, targets=["target"])
    dataset.feature_loader(lambda given: pd.DataFrame(given).round())
    model = Model("cancer", LogisticRegression, dataset=dataset)
    with pytest.raises(UnimplementedError, match="move the function there, or serve the app"):
        model.check_is_servable()


def test_callbacks_run_behind_each_answer_of_a_service(home: Path) -> None:
    noted = home / "noted"

    def broken(model: Any, features: Any, predictions: Any) -> None:
        raise RuntimeError("monitoring is down")

    def note(model: Any, features: Any, predictions: Any) -> None:
        with noted.open("a") as file:
            file.write(
                f"{type(model).__name__} {features.shape} {np.asarray(predictions).tolist()}\n"
            )

    model = trained(ratio, callbacks=[broken, note])
    version = model.register()
    assert "has callbacks ('broken', 'note'), which are Python" in version.engine_reason
    assert not noted.exists()  # nothing was predicted for anybody yet
    expected = model.predict(ROWS.head(2)).tolist()
    noted.unlink()
    with version.serve(workers=1) as service:
        # Neither the row that a worker tries itself on nor one that is refused calls anybody.
        refused = requests.post(
            service.url + "/predict", json={"features": [[0.0, 0.0, 0.0]]}, timeout=SECONDS_MAX
        )
        assert refused.status_code == 422, refused.text
        assert list(asked(service, ROWS.head(2))) == expected
        deadline = time.monotonic() + SECONDS_MAX
        while not noted.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert noted.read_text() == f"LogisticRegression (2, 4) {expected}\n"


def test_a_callback_that_hangs_holds_up_no_answer(home: Path) -> None:
    def hang(model: Any, features: Any, predictions: Any) -> None:
        time.sleep(3600)

    version = trained(None, callbacks=[hang]).register()
    with version.serve() as service:
        for _ in range(5):
            assert len(asked(service, ROWS.head(2))) == 2
