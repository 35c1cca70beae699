"""Models that the own evaluator runs: the original's answers, bit by bit where sums keep order."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import (
    BayesianRidge,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    Perceptron,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import penstock
from penstock._containers import Container

FOREST = {"n_estimators": 20, "random_state": 0}


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomForestClassifier(**FOREST),
        lambda: make_pipeline(StandardScaler(), RandomForestClassifier(**FOREST)),
        lambda: make_pipeline(
            MinMaxScaler(clip=True), RobustScaler(), RandomForestClassifier(**FOREST)
        ),
    ],
    ids=["forest", "scaler+forest", "scalers+forest"],
)
def test_no_probability_of_a_forest_differs_on_10_000_rows(
    check_same, blurred_digits, make, seed: int
) -> None:
    X, y = blurred_digits(seed)
    model = make().fit(X[:3000], y[:3000])
    version = penstock.register(model, X, y, name="digits")
    assert version.engine == "own"
    assert version.parity.rows == 10_000
    assert version.parity.differing == 0
    check_same(version, model, X)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_logistic_regression_agrees_on_10_000_rows(blurred_digits, seed: int) -> None:
    X, y = blurred_digits(seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(
        X[:3000], y[:3000]
    )
    version = penstock.register(model, X, y, name="digits")
    assert version.engine == "own"
    assert (version.parity.rows, version.parity.differing) == (10_000, 0)
    np.testing.assert_array_equal(version.predict(X), model.predict(X))
    np.testing.assert_allclose(
        version.predict_proba(X), model.predict_proba(X), rtol=1e-9, atol=1e-12
    )


# Six columns are enough to tell answers apart; each column costs probes.
BC = (load_breast_cancer().data[:, :6], load_breast_cancer().target)
DIABETES = load_diabetes(return_X_y=True)


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(), "passthrough", LinearSVC()),
        make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0)),
        make_pipeline(MaxAbsScaler(), Perceptron(random_state=0)),
        make_pipeline(make_pipeline(StandardScaler()), RidgeClassifier()),
        LinearDiscriminantAnalysis(),
        DecisionTreeClassifier(random_state=0),
        GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {}, cv=2),
    ],
    ids=lambda model: type(getattr(model, "steps", [[None, model]])[-1][1]).__name__,
)
@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1]),
        np.array(["malignant", "ok"]),
        np.array(["malignant", "ok"], dtype=object),
        np.array([False, True]),
        np.array([3, 70_000], dtype=np.int32),
        np.array([1.0, 4.0]),
    ],
    ids=["int", "text", "object", "bool", "int32", "float"],
)
def test_labels_come_back_as_they_were(check_same, model, labels) -> None:
    X, y = BC[0], labels[BC[1]]
    model.fit(X, y)
    version = penstock.register(model, X, y, name="m")
    assert version.engine == "own"
    check_same(version, model, X, exact=False)


@pytest.mark.parametrize(
    "model",
    [
        LinearRegression(),
        LinearRegression(fit_intercept=False),
        Ridge(),
        LassoCV(),
        BayesianRidge(),
        SGDRegressor(random_state=0),
        RandomForestRegressor(n_estimators=10, random_state=0),
    ],
    ids=lambda model: repr(model).split("(")[0],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_regressors_agree(check_same, model, dtype) -> None:
    X, y = DIABETES
    X = X.astype(dtype)
    model.fit(X, y)
    version = penstock.register(model, X, y, name="m")
    if version.engine == "python":
        # Where a sum of float32 cancels out, the original itself is not that exact.
        assert dtype == np.float32
        assert "own evaluator in float32 differs on" in version.engine_reason
        return
    assert version.engine == "own"
    check_same(version, model, X, exact=False)


@pytest.mark.parametrize(
    "model", [Ridge(), LinearRegression(), ExtraTreesRegressor(5, random_state=0)], ids=repr
)
def test_several_targets_keep_their_shape(check_same, model) -> None:
    X, y = DIABETES
    model.fit(X, np.column_stack([y, -y, y**2]))
    version = penstock.register(model, X, name="m")
    assert version.engine == "own"
    assert version.signature["prediction"]["width"] == 3
    check_same(version, model, X, exact=False)


def test_one_target_in_a_column_keeps_its_shape() -> None:
    X, y = DIABETES
    model = LinearRegression().fit(X, y[:, None])
    version = penstock.register(model, X, name="m")
    assert version.predict(X[:3]).shape == model.predict(X[:3]).shape


def test_float32_stays_float32(check_same, blurred_digits) -> None:
    X, y = blurred_digits(0, 2000)
    X = X[:, 20:32].astype(np.float32)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(X, y)
    version = penstock.register(model, X, y, name="m")
    assert version.engine == "own"
    assert {column["type"] for column in version.signature["inputs"]} == {"float32"}
    check_same(version, model, X, exact=False)


def test_scalers_in_float32_before_a_forest_answer_bit_by_bit(check_same, blurred_digits) -> None:
    X, y = blurred_digits(3, 4000)
    X = X[:, 20:32].astype(np.float32)
    for scaler in (StandardScaler(), MinMaxScaler(), RobustScaler(), MaxAbsScaler()):
        model = make_pipeline(scaler, RandomForestClassifier(**FOREST)).fit(X, y)
        check_same(penstock.register(model, X, y, name="m"), model, X)


def test_missing_values_go_where_the_forest_sends_them(check_same, blurred_digits) -> None:
    X, y = blurred_digits(4, 2000)
    X = X[:, 20:32]
    X[::5, 1] = np.nan
    X[::7, 9] = np.nan
    model = RandomForestClassifier(**FOREST).fit(X, y)
    version = penstock.register(model, X, y, name="m")
    assert version.engine == "own"
    assert all(column["allows_missing"] for column in version.signature["inputs"])
    check_same(version, model, X)


def test_epoch_seconds_need_float64(check_same) -> None:
    random = np.random.default_rng(0)
    seconds = 1.7e9 + random.uniform(0, 3e7, 2000)
    X = pd.DataFrame({"created_at": seconds, "amount": random.normal(size=2000)})
    y = (seconds - 1.7e9) / 3600 + X["amount"]
    model = Ridge().fit(X, y)
    version = penstock.register(model, X, y, name="m")
    assert version.engine == "own"
    check_same(version, model, X, exact=False)


def test_integers_beyond_float32_are_answered_as_the_forest_answers_them(check_same) -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame({"id": 2**24 + random.integers(0, 2**20, 2000), "k": np.arange(2000) % 7})
    y = (X["id"] % 2**10 > 500).astype(int)
    model = RandomForestClassifier(**FOREST).fit(X, y)
    version = penstock.register(model, X, y, name="m")
    assert version.engine == "own"
    check_same(version, model, X)


@pytest.mark.parametrize("dtype", [np.int64, np.int16, np.uint8, bool])
def test_integers_and_booleans(check_same, digits, dtype) -> None:
    X, y = digits[0][:, 20:32].astype(dtype), digits[1]
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(X, y)
    version = penstock.register(model, X, y, name="m")
    assert version.engine == "own"
    check_same(version, model, X)


def test_a_forest_of_one_class(check_same, digits) -> None:
    X = digits[0]
    model = RandomForestClassifier(n_estimators=3).fit(X, np.full(len(X), "same"))
    check_same(penstock.register(model, X, name="m"), model, X)


@pytest.mark.parametrize("is_frame", [True, False])
def test_a_model_that_changes_its_rows_changes_no_others(blurred_digits, is_frame: bool) -> None:
    X, y = blurred_digits(5, 300)
    X = pd.DataFrame(X[:, 20:24], columns=list("abcd")) if is_frame else X[:, 20:24]
    model = make_pipeline(StandardScaler(copy=False), DecisionTreeClassifier(random_state=0))
    model.fit(X.copy(), y)
    kept, mean = X.copy(), model[0].mean_.copy()
    version = penstock.register(model, X, y, name="m")
    assert version.engine == "own"
    np.testing.assert_array_equal(X, kept)
    np.testing.assert_array_equal(model[0].mean_, mean)
    np.testing.assert_array_equal(version.predict_proba(X), model.predict_proba(X.copy()))


def test_named_columns_are_found_in_any_order(digits) -> None:
    X, y = digits[0][:, 20:32], digits[1]
    frame = pd.DataFrame(X, columns=[f"p{i}" for i in range(12)])
    model = RandomForestClassifier(**FOREST).fit(frame, y)
    version = penstock.register(model, frame, y, name="m")
    np.testing.assert_array_equal(version.predict(frame[frame.columns[::-1]]), model.predict(frame))
    np.testing.assert_array_equal(version.predict(X.tolist()), model.predict(frame))


def test_the_text_of_a_version_tells_the_outcome(digits) -> None:
    X, y = digits
    version = penstock.register(RandomForestClassifier(5).fit(X, y), X, y, name="digits")
    text = repr(version)
    assert text.startswith("digits@1  native, checked on 1,797 rows and ")
    assert ": 0 differ (95 %: < 0.2 %)" in text  # 1 - 0.05 ** (1 / 1797) is 0.167 %
    assert text.endswith("us a row")
    assert repr(penstock.load("digits")) == text


def test_versions_count_up_and_are_listed(digits) -> None:
    X, y = digits[0][:, 20:32], digits[1]
    model = RandomForestClassifier(3).fit(X, y)
    assert penstock.register(model, X, name="a").version == 1
    assert penstock.register(model, X, name="a").version == 2
    penstock.register(model, X, name="b")
    assert [(v.name, v.version) for v in penstock.models()] == [("a", 2), ("b", 1)]
    assert penstock.load("a@1").version == 1
    with pytest.raises(penstock.NotFoundError, match="'c'|c@|\"c\""):
        penstock.load("c")


def test_what_was_registered_is_told_without_reading_it_again(digits, monkeypatch) -> None:
    def fail(spec: str, home: str | None) -> None:
        raise AssertionError("a full disk, say, or Ctrl-C")

    X, y = digits[0][:, 20:32], digits[1]
    model = RandomForestClassifier(3).fit(X, y)
    with monkeypatch.context() as patched:
        patched.setattr("_penstock.open_version", fail)
        version = penstock.register(model, X, name="a")
        assert repr(version).startswith("a@1  native")
        assert version.signature["has_probabilities"]
    again = penstock.load("a")
    assert repr(again) == repr(version)
    assert (again.signature, again.details) == (version.signature, version.details)
    np.testing.assert_array_equal(version.predict(X), model.predict(X))


def test_the_time_of_the_model_is_its_own(digits, monkeypatch) -> None:
    def slowly(container: Container, columns: list[object]) -> object:
        time.sleep(0.02)
        return rebuild(container, columns)

    X, y = digits[0][:, 20:24], digits[1]
    rebuild = Container.rebuild
    monkeypatch.setattr(Container, "rebuild", slowly)
    version = penstock.register(DecisionTreeClassifier(max_depth=3).fit(X, y), X, name="m")
    assert version.parity.report["original_row_ns"] < 20e6


def test_a_model_with_a_native_form_is_not_pickled(digits, monkeypatch) -> None:
    monkeypatch.setattr("joblib.dump", None)
    model = RandomForestClassifier(3).fit(*digits)
    assert penstock.register(model, digits[0], name="m").engine == "own"
