"""Boosted trees in the own evaluator: scikit-learn's, LightGBM's, XGBoost's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier, XGBRegressor, XGBRFClassifier

import penstock

# Few columns are enough to tell answers apart; each column costs probes.
BC = (load_breast_cancer().data[:, :6], load_breast_cancer().target)
IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
STEPS = {"n_estimators": 20, "random_state": 0}
HIST = {"max_iter": 20, "random_state": 0}
LGBM = STEPS | {"verbose": -1}
NAMES = np.array(["no", "yes"])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Keep the libraries' threads from waiting for each other."""
    with threadpool_limits(1):
        yield


def with_gaps() -> np.ndarray:
    X = BC[0].copy()
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    return X


def is_exact(version: penstock.ModelVersion) -> bool:
    forms = version.parity.report["candidates"]
    return all(form["absolute_max"] == 0 for form in forms if form["passed"])


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (GradientBoostingClassifier(**STEPS), BC),
        (GradientBoostingClassifier(**STEPS), IRIS),
        (GradientBoostingClassifier(loss="exponential", **STEPS), BC),
        (GradientBoostingClassifier(init="zero", **STEPS), BC),
        (make_pipeline(StandardScaler(), GradientBoostingClassifier(**STEPS)), BC),
        (GradientBoostingRegressor(**STEPS), DIABETES),
        (GradientBoostingRegressor(loss="quantile", subsample=0.5, **STEPS), DIABETES),
        (HistGradientBoostingClassifier(**HIST), BC),
        (HistGradientBoostingClassifier(**HIST), (with_gaps(), BC[1])),
        (HistGradientBoostingClassifier(early_stopping=True, **HIST), IRIS),
        (HistGradientBoostingRegressor(**HIST), DIABETES),
        (HistGradientBoostingRegressor(loss="gamma", **HIST), DIABETES),
        (HistGradientBoostingRegressor(categorical_features=[1], **HIST), DIABETES),
        (LGBMClassifier(**LGBM), BC),
        (LGBMClassifier(**LGBM), (with_gaps(), BC[1])),
        (LGBMClassifier(**LGBM), IRIS),
        (LGBMClassifier(boosting_type="dart", **LGBM), BC),
        (LGBMRegressor(**LGBM), DIABETES),
        (LGBMRegressor(objective="tweedie", **LGBM), DIABETES),
        (
            LGBMRegressor(boosting_type="rf", bagging_freq=1, bagging_fraction=0.5, **LGBM),
            DIABETES,
        ),
    ],
    ids=lambda value: repr(value).split("(")[0] if hasattr(value, "fit") else "",
)
def test_answers_are_equal_to_the_last_bit(check_same, model, data) -> None:
    X, y = data
    model.fit(X, y)
    version = penstock.register(model, X, y, name="m")
    assert version.engine == "own", version.engine_reason
    assert version.parity.differing == 0
    assert is_exact(version)
    check_same(version, model, X)


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (XGBClassifier(**STEPS), BC),
        (XGBClassifier(**STEPS), (with_gaps(), BC[1])),
        (XGBClassifier(**STEPS), IRIS),
        (XGBClassifier(missing=-1, **STEPS), (np.nan_to_num(with_gaps(), nan=-1), BC[1])),
        (XGBRFClassifier(**STEPS), IRIS),
        (XGBRegressor(**STEPS), DIABETES),
        (XGBRegressor(objective="count:poisson", **STEPS), DIABETES),
        (XGBRegressor(base_score=100.5, max_depth=3, **STEPS), DIABETES),
        (XGBRegressor(**STEPS), (DIABETES[0], np.column_stack([DIABETES[1], -DIABETES[1]]))),
        (make_pipeline(StandardScaler(), XGBClassifier(**STEPS)), BC),
    ],
    ids=lambda value: repr(value).split("(")[0] if hasattr(value, "fit") else "",
)
def test_xgboost_agrees_as_far_as_its_float32_goes(check_same, model, data) -> None:
    X, y = data
    model.fit(X, y)
    version = penstock.register(model, X, y, name="m")
    assert version.engine == "own", version.engine_reason
    assert version.parity.report["candidates"][0]["precision"] == "float32"
    assert version.parity.differing == 0
    check_same(version, model, X, exact=False)


def test_early_stopping_keeps_the_trees_up_to_the_best(check_same) -> None:
    (X, y), half = BC, slice(0, 300)
    rest = [(X[300:], y[300:])]
    boosters = (
        XGBClassifier(n_estimators=300, early_stopping_rounds=3, random_state=0),
        LGBMClassifier(n_estimators=300, early_stopping_rounds=3, verbose=-1),
    )
    for model in boosters:
        model.fit(X[half], y[half], eval_set=rest)
        assert model.best_iteration_ if hasattr(model, "best_iteration_") else model.best_iteration
        version = penstock.register(model, X, name="m")
        assert version.engine == "own", version.engine_reason
        check_same(version, model, X, exact=False)


def kinds() -> tuple[pd.DataFrame, np.ndarray]:
    """Return a table with columns of categories, gaps in one of them, and classes."""
    random = np.random.default_rng(5)
    n = 500
    plan = random.choice(["basic", "pro", "é ü"], n, p=[0.5, 0.3, 0.2])
    region = random.choice([f"r{i}" for i in range(20)], n)
    X = pd.DataFrame(
        {
            "age": random.integers(18, 90, n),
            "plan": pd.Categorical(plan),
            "income": random.normal(3000, 900, n),
            "region": pd.Categorical(region),
        }
    )
    y = ((X["age"] > 50) ^ np.isin(region, ["r3", "r7", "r8"]) ^ (plan == "pro")).astype(int)
    X.loc[::9, "region"] = np.nan
    X.loc[::7, "income"] = np.nan
    return X, NAMES[y]


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(min_samples_leaf=5, **HIST),
        LGBMClassifier(min_child_samples=5, min_data_per_group=5, cat_smooth=1, **LGBM),
        XGBClassifier(enable_categorical=True, max_cat_to_onehot=1, **STEPS),
    ],
    ids=lambda model: type(model).__name__,
)
def test_categories_of_a_table_are_split_as_they_are(check_same, model) -> None:
    X, names = kinds()
    y = names if not isinstance(model, XGBClassifier) else (names == "yes").astype(int)
    model.fit(X, y)
    version = penstock.register(model, X, y, name="m")
    assert version.engine == "own", version.engine_reason
    assert version.parity.differing == 0
    check_same(version, model, X, exact=False)
    assert len(set(version.predict(X.assign(plan="pro")))) == 2


def test_numbers_that_lightgbm_takes_for_categories_are_split_as_they_are(check_same) -> None:
    X = np.column_stack([np.random.default_rng(0).integers(0, 9, len(BC[1])), BC[0]])
    y = BC[1] ^ np.isin(X[:, 0], [2, 5, 6])
    model = LGBMClassifier(categorical_feature=[0], min_data_per_group=5, **LGBM).fit(X, y)
    assert any("==" in str(t) for t in model.booster_.dump_model()["tree_info"])
    version = penstock.register(model, X, name="m")
    assert version.engine == "own", version.engine_reason
    check_same(version, model, X)


class Doubled(GradientBoostingRegressor):
    def predict(self, X):
        return 2 * super().predict(X)


class Louder(HistGradientBoostingClassifier):
    def _raw_predict(self, X, n_threads=None):
        return 2 * super()._raw_predict(X, n_threads)


class Halved(LGBMRegressor):
    def predict(self, X, **options):
        return super().predict(X, **options) / 2


class Raised(XGBRegressor):
    def predict(self, X, **options):
        return super().predict(X, **options) + 1


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Doubled(**STEPS), "Doubled changes how GradientBoostingRegressor predicts"),
        (Louder(**HIST), "Louder changes how HistGradientBoostingClassifier predicts"),
        (Halved(**LGBM), "Halved changes how LGBMRegressor predicts"),
        (Raised(**STEPS), "Raised changes how XGBRegressor predicts"),
        (
            GradientBoostingClassifier(init=LogisticRegression(), **STEPS),
            "starts from a LogisticRegression, whose answers differ from row to row",
        ),
        (LGBMClassifier(linear_tree=True, **LGBM), "linear_tree=True has a model in each leaf"),
        (LGBMClassifier(zero_as_missing=True, **LGBM), "takes 0 for missing"),
        (LGBMClassifier(objective="cross_entropy", **LGBM), "objective 'cross_entropy'"),
        (LGBMRegressor(reg_sqrt=True, **LGBM), "objective 'regression sqrt'"),
        (XGBRegressor(booster="dart", **STEPS), "booster='dart'"),
        (XGBRegressor(booster="gblinear", n_estimators=5), "booster='gblinear'"),
        (XGBClassifier(objective="binary:hinge", **STEPS), "objective 'binary:hinge'"),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else "",
)
def test_what_no_step_repeats_is_refused_with_the_reason(model, reason: str) -> None:
    X, y = BC
    model.fit(X, y)
    with pytest.raises(penstock.InvalidArgumentError, match=reason):
        penstock.register(model, X, name="m", engine="own")


def test_penstock_imports_neither_library() -> None:
    code = """
import sys
import numpy as np
import penstock
from sklearn.linear_model import Ridge
X = np.random.default_rng(0).random((30, 2))
assert penstock.register(Ridge().fit(X, X[:, 0]), X, name="m").engine == "own"
assert not {"lightgbm", "xgboost"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
