"""What register and predict refuse, and in which words."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler

import penstock

FRAME = pd.DataFrame({"age": [20.0, 30.0, 40.0, 50.0] * 10, "income": np.arange(40.0)})
TARGET = np.array([0, 0, 1, 1] * 10)
FITTED = LogisticRegression().fit(FRAME, TARGET)


def check_refused(
    model: object, X: object, *parts: str, name: str = "m", **options: object
) -> None:
    with pytest.raises(penstock.InvalidArgumentError) as refused:
        penstock.register(model, X, name=name, **options)
    message = str(refused.value)
    assert all(part in message for part in parts), message
    assert "\n" not in message
    assert penstock.models() == []


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        ({"coef": 1}, ["an object of type dict is not a model", "predict"]),
        (None, ["NoneType is not a model"]),
        (LogisticRegression, ["LogisticRegression is a class", "LogisticRegression().fit(X, y)"]),
        ("model.joblib", ["'model.joblib' is a path", "joblib.load"]),
        (StandardScaler(), ["type StandardScaler is not a model"]),
        (LogisticRegression(), ["the LogisticRegression is not fitted", "fit(X, y)"]),
        (make_pipeline(StandardScaler(), LogisticRegression()), ["Pipeline is not fitted"]),
    ],
    ids=["dict", "none", "class", "path", "transformer", "unfitted", "unfitted pipeline"],
)
def test_what_is_not_a_fitted_model(model: object, parts: list[str]) -> None:
    check_refused(model, FRAME, *parts)


@pytest.mark.parametrize(
    ("X", "parts"),
    [
        (FRAME[["age"]], ["X has no column 'income'"]),
        (
            FRAME.rename(columns={"income": "incme"}),
            ["no column 'income'", "Did you mean 'incme'?"],
        ),
        (FRAME.assign(churned=1), ["X has column 'churned'", "X[model.feature_names_in_]"]),
        (FRAME[["income", "age"]], ["another order", "'income' stands where 'age' was expected"]),
        (FRAME.to_numpy()[:, :1], ["X has 1 columns", "fitted on 2"]),
        (FRAME.iloc[:0], ["X has 0 rows and 2 columns"]),
        (FRAME["age"], ["X is a Series", "one dimension", "X.to_frame()"]),
        (FRAME.to_numpy()[0], ["X has 1 dimension", "X.reshape(1, -1)"]),
        (scipy.sparse.csr_matrix(FRAME.to_numpy()), ["sparse matrix", "X.toarray()"]),
        ([[1.0, 2.0], [3.0]], ["rows of different lengths (1 and 2)"]),
        ([{"age": 1, "income": 2}], ["list of records", "pandas.DataFrame(X)"]),
        (7, ["X is an int", "a DataFrame"]),
        (FRAME.assign(income=pd.Timestamp("2026-01-01")), ["'income'", "datetime64", "number"]),
        (FRAME.assign(income=["a", 1] * 20), ["'income'", "objects of type int, str"]),
        (FRAME.assign(income="many"), ["LogisticRegression cannot predict the first rows", "many"]),
    ],
    ids=[
        "missing column",
        "misspelt column",
        "unknown column",
        "other order",
        "too narrow",
        "no rows",
        "series",
        "one row",
        "sparse",
        "ragged",
        "records",
        "number",
        "dates",
        "mixed",
        "text",
    ],
)
def test_rows_that_do_not_fit_the_model(X: object, parts: list[str]) -> None:
    check_refused(FITTED, X, *parts)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_rows_that_the_model_refuses_are_no_evidence(value: float, word: str) -> None:
    X = FRAME.copy()
    X.loc[[3, 5, 7], "income"] = value
    check_refused(
        FITTED, X, f"X holds {word} in column 'income' (3 rows)", f"the model refuses {word}"
    )


@pytest.mark.parametrize("name", ["", "a b", "churn@1", "../churn", "x" * 300])
def test_names_that_no_model_can_have(name: str) -> None:
    check_refused(FITTED, FRAME, name=name)


def test_an_integer_beyond_int64() -> None:
    X = pd.DataFrame({"id": np.array([1, 2**63], dtype=np.uint64)})
    model = LinearRegression().fit(X, [1, 2])
    check_refused(model, X, "column 'id' holds 9223372036854775808", "2^63 - 1")


def test_the_service_refuses_what_the_original_refuses() -> None:
    version = penstock.register(FITTED, FRAME, name="m")
    assert not any(column["allows_missing"] for column in version.signature["inputs"])
    assert not any(column["allows_infinity"] for column in version.signature["inputs"])
    kinds = {refusal["kind"] for refusal in version.parity.report["refusals"]}
    assert {"missing", "infinity"} <= kinds
    assert "refuses what yours refuses" in repr(version)
    for value, word in ((math.nan, "missing|NaN"), (math.inf, "infinit")):
        wrong = FRAME[:3].copy()
        wrong.loc[1, "income"] = value
        with pytest.raises(penstock.InvalidArgumentError, match=f"row 1.*income.*({word})"):
            version.predict(wrong)


def test_predict_names_the_column_at_fault() -> None:
    version = penstock.register(FITTED, FRAME, name="m")
    for X, told in (
        (FRAME[["age"]], "no column 'income'"),
        (FRAME.assign(extra=1), "column 'extra', which the model does not take"),
        (FRAME.to_numpy()[:, :1], "X has 1 columns; m@1 takes 2"),
        (
            FRAME.assign(income="many"),
            "column 'income' holds string values; the model takes float64",
        ),
        (FRAME.iloc[:0], "X has no rows"),
    ):
        with pytest.raises(penstock.InvalidArgumentError, match=told):
            version.predict(X)


def test_a_model_without_probabilities_says_so() -> None:
    X, y = load_diabetes(return_X_y=True)
    version = penstock.register(LinearRegression().fit(X, y), X, name="m")
    with pytest.raises(penstock.FailedPreconditionError, match="m@1 has no probabilities"):
        version.predict_proba(X)


class NearestCentre(ClassifierMixin, BaseEstimator):
    """A model of the user's own, which no exporter knows."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.centres_ = np.array(
            [np.asarray(X)[y == label].mean(axis=0) for label in self.classes_]
        )
        return self

    def predict(self, X):
        distances = ((np.asarray(X)[:, None] - self.centres_) ** 2).sum(axis=2)
        return self.classes_[distances.argmin(axis=1)]


class LoudForest(RandomForestClassifier):
    """A forest whose predict is the user's own."""

    def predict(self, X):
        return super().predict(X)[::1]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (NearestCentre(), "NearestCentre is none of its models"),
        (
            LoudForest(n_estimators=2),
            "LoudForest changes how RandomForestClassifier predicts: fit a plain "
            "RandomForestClassifier",
        ),
        (
            make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()),
            "FunctionTransformer is none of its scalers, which are 'StandardScaler', ",
        ),
    ],
    ids=["own estimator", "subclass", "own function"],
)
def test_a_model_without_native_form_is_registered_and_told(model, told: str) -> None:
    X = FRAME.to_numpy()
    version = penstock.register(model.fit(X, TARGET), X, name="m")
    assert version.engine == "python"
    assert told in version.engine_reason
    assert repr(version).startswith("m@1  not native: ")
    assert "\n" not in repr(version)
    np.testing.assert_array_equal(version.predict(X), model.predict(X))


def test_what_one_call_would_make_native_names_the_call() -> None:
    sparse = LogisticRegression().fit(FRAME, TARGET).sparsify()
    scaler = MaxAbsScaler(clip=True)
    clipped = make_pipeline(scaler, LogisticRegression()).fit(FRAME, TARGET)
    for model, told in ((sparse, "are sparse: call densify() on it"), (clipped, "set clip=False")):
        check_refused(model, FRAME, told, engine="own")
    for model in (sparse.densify(), clipped.set_params(maxabsscaler__clip=False)):
        assert penstock.register(model, FRAME, name="m").engine == "own"


class Shy(Pipeline):
    """A pipeline whose predict is the user's own."""

    def predict(self, X):
        return super().predict(X)


class ShySearch(GridSearchCV):
    """A search whose predict is the user's own."""

    def predict(self, X):
        return super().predict(X)


def test_what_another_fit_would_make_native_says_which() -> None:
    X = FRAME.to_numpy()
    final = LogisticRegression()
    half = make_pipeline(StandardScaler(), final).fit(X.astype(np.float16), TARGET)
    told = "StandardScaler works in float16 here: fit it on float32 or float64 rows"
    check_refused(half, X.astype(np.float16), told, engine="own")
    shy = Shy([("final", final)]).fit(X, TARGET)
    check_refused(shy, X, "changes how Pipeline predicts: fit a plain Pipeline", engine="own")
    search = ShySearch(final, {"C": [1.0]}, cv=2).fit(X, TARGET)
    told = "changes how BaseSearchCV predicts: register its best_estimator_"
    check_refused(search, X, told, engine="own")
    for model in (half.fit(X, TARGET), Pipeline(shy.steps), search.best_estimator_):
        assert penstock.register(model, X, name="m").engine == "own"


def test_several_labels_a_row_stay_in_python(digits) -> None:
    X, y = digits
    model = RandomForestClassifier(2).fit(X, np.column_stack([y, y % 2]))
    version = penstock.register(model, X, name="m")
    assert version.engine == "python"
    assert "a model for each label would be native" in version.engine_reason
    with pytest.raises(
        penstock.InvalidArgumentError, match="engine .own. was asked for.*each label"
    ):
        penstock.register(model, X, name="m", engine="own")


def test_what_cannot_be_pickled_and_is_not_native_says_both() -> None:
    model = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(FRAME, TARGET)
    model.lock_ = threading.Lock()
    check_refused(model, FRAME, "FunctionTransformer", "cannot be pickled", "lock")


class Unsteady(LinearRegression):
    """A model that fails on some rows."""

    def predict(self, X):
        if len(X) > 20:
            raise RuntimeError("too many rows for me")
        return super().predict(X)


def test_an_exception_of_the_model_comes_out_as_it_was() -> None:
    model = Unsteady().fit(FRAME, TARGET)
    with pytest.raises(RuntimeError, match="too many rows for me"):
        penstock.register(TransformedTargetRegressor(model).fit(FRAME, TARGET), FRAME, name="m")
    assert penstock.models() == []


class Marker:
    """Makes a folder when it is unpickled, in whichever process that is."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.makedirs, (str(self.path),)


def test_only_a_worker_opens_a_model_without_native_form(tmp_path: Path) -> None:
    marker = tmp_path / "opened"
    X = FRAME.to_numpy()
    model = make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()).fit(X, TARGET)
    model.marker_ = Marker(marker)
    penstock.register(model, X, name="m")
    marker.rmdir()  # of the process that tried whether a worker could
    loaded = penstock.load("m@1")
    (tmp_path / "body.json").write_text(json.dumps({"features": X[:1].tolist()}))
    program = [sys.executable, "-m", "penstock"]
    for command in (["models", "list"], ["models", "show", "m"], ["doctor"]):
        done = subprocess.run([*program, *command], capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    assert not marker.exists()
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    # In another memory layout, and so to the last bits but one.
    np.testing.assert_allclose(loaded.predict_proba(X), model.predict_proba(X), rtol=1e-12)
    assert marker.exists()
    done = subprocess.run(
        [*program, "predict", "m", "--features", "body.json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "FileExistsError" in done.stderr  # of a second makedirs: the worker's own fault


def test_a_model_with_a_native_form_is_not_kept_in_python(tmp_path: Path, home: Path) -> None:
    model = LogisticRegression().fit(FRAME, TARGET)
    model.marker_ = Marker(tmp_path / "opened")
    package = Path(penstock.register(model, FRAME, name="m")._unpacked.path)
    assert sorted(path.name for path in package.iterdir()) == [
        "evaluator.safetensors",
        "examples.json",
        "parity.json",
        "penstock.json",
    ]
    stored = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert not any(b"makedirs" in raw for raw in stored)
