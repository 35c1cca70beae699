# SPDX-License-Identifier: Apache-2.0
"""Write the golden files of boosted trees and of mixed tables, as the package exports them.

Run it where penstock is built, with scikit-learn 1.9, LightGBM 4 and XGBoost 3:
    python make_export_golden.py
Like make_golden.py, but the evaluator's file is what penstock's own exporters write. Missing texts
are NaN in x.
"""

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from make_golden import HERE, answers_of, container
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder
from xgboost import XGBClassifier, XGBRegressor

from penstock._containers import contain
from penstock._export import Subject
from penstock._export.own import own_candidate
from penstock._model import answers_of as describe

TEXTS = ["north", "south", "east", "", "basic", "pro", "unseen"]


def write(name, model, X, few):
    """X: what the model is fitted on; few: the rows to answer."""
    whole = contain(X)
    form = own_candidate(Subject(model, whole, whole.types(), describe(model, whole)))
    (HERE / f"{name}.safetensors").write_bytes(form["bytes"])
    answer, signature = answers_of(model, few)
    rows = contain(few)
    signature |= {
        "has_column_names": rows.has_names,
        "inputs": [
            {"name": n, "type": t, "allows_missing": True, "allows_infinity": True}
            for n, t in zip(whole.names, whole.types(), strict=True)
        ],
    }
    meta = {
        "signature": signature,
        "precision": form["precision"],
        "encoding": json_of(form["encoding_json"]),
        "options": {},
        "texts": TEXTS,
    }
    x = np.column_stack([numbers_of(values) for values in rows.columns])
    (HERE / f"{name}.golden").write_bytes(container([meta], {"x": x} | answer))


def json_of(text):
    import json

    return json.loads(text)


def numbers_of(values):
    if getattr(values, "dtype", None) is not None and values.dtype.kind in "biuf":
        return np.asarray(values, np.float64)
    return np.array([TEXTS.index(v) if isinstance(v, str) else np.nan for v in values])


def table(n=200):
    random = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 90, n),
            "region": random.choice(["north", "south", "east", ""], n, p=[0.4, 0.3, 0.2, 0.1]),
            "income": random.normal(3000, 900, n),
            "plan": random.choice(["basic", "pro"], n),
            "score": random.normal(size=n).astype(np.float32),
        }
    ).astype({"region": object, "plan": object})
    y = ((frame["age"] > 50) ^ (frame["plan"] == "pro")).astype(int).to_numpy()
    frame.loc[::7, "income"] = np.nan
    frame.loc[::9, "region"] = np.nan
    return frame, y


def boosting_cases():
    cancer, iris, diabetes = load_breast_cancer(), load_iris(), load_diabetes()
    few = slice(0, None, 12)
    holes = cancer.data.copy()
    holes[np.random.default_rng(0).random(holes.shape) < 0.2] = np.nan
    bc, ir, di = (cancer.data, cancer.target), (iris.data, iris.target), None
    di = (diabetes.data, diabetes.target)
    hc = (holes, cancer.target)
    quiet = {"n_estimators": 10, "verbose": -1, "num_leaves": 8}
    for name, model, (X, y) in (
        ("boosting_cancer", GradientBoostingClassifier(n_estimators=13, random_state=0), bc),
        ("boosting_iris", GradientBoostingClassifier(n_estimators=4, random_state=0), ir),
        (
            "exponential_cancer",
            GradientBoostingClassifier(loss="exponential", n_estimators=9, random_state=0),
            bc,
        ),
        ("huber_diabetes", GradientBoostingRegressor(loss="huber", n_estimators=9), di),
        ("hist_missing_cancer", HistGradientBoostingClassifier(max_iter=10, max_depth=4), hc),
        ("hist_poisson_diabetes", HistGradientBoostingRegressor("poisson", max_iter=9), di),
        ("lightgbm_missing_cancer", LGBMClassifier(**quiet), hc),
        ("lightgbm_forest_diabetes", random_forest_of_lightgbm(), di),
        ("xgboost_missing_cancer", XGBClassifier(n_estimators=10, max_depth=4), hc),
        ("xgboost_iris", XGBClassifier(n_estimators=3, num_parallel_tree=2), ir),
        ("xgboost_poisson_diabetes", XGBRegressor(objective="count:poisson", n_estimators=9), di),
    ):
        write(name, model.fit(X, y), X, X[few])
    X, y = table()
    kinds = (
        pd.CategoricalDtype(["north", "south", "east", ""]),
        pd.CategoricalDtype(["basic", "pro"]),
    )
    X = X.astype({"region": kinds[0], "plan": kinds[1]})
    X["region"] = X["region"].cat.set_categories(["north", "south", "east", ""])
    small = {"min_child_samples": 5, "cat_smooth": 1, "min_data_per_group": 5}
    for name, model in (
        ("hist_categories", HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=5)),
        ("lightgbm_categories", LGBMClassifier(**quiet, **small)),
        ("xgboost_categories", XGBClassifier(n_estimators=10, enable_categorical=True)),
    ):
        write(name, model.fit(X, y), X, X[::5])


def random_forest_of_lightgbm():
    return LGBMRegressor(
        n_estimators=9, verbose=-1, boosting_type="rf", bagging_freq=1, bagging_fraction=0.5
    )


def mixed_cases():
    X, y = table()
    few = X[::5].copy()
    few.iloc[1, 1] = few.iloc[2, 3] = "unseen"
    numbers, texts = ["age", "income", "score"], ["region", "plan"]
    filled = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    for name, steps, final in (
        (
            "mixed_logistic",
            [
                (filled, numbers),
                (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=25), texts),
            ],
            LogisticRegression(),
        ),
        (
            "mixed_forest",
            [
                (
                    make_pipeline(
                        SimpleImputer(strategy="most_frequent"),
                        OneHotEncoder(drop="first", handle_unknown="ignore"),
                    ),
                    ["region"],
                ),
                (
                    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                    ["plan", "age"],
                ),
                ("passthrough", ["score"]),
            ],
            RandomForestClassifier(8, max_depth=5, random_state=0),
        ),
        (
            "mixed_targets",
            [(TargetEncoder(random_state=0), [*texts, "age"]), ("passthrough", ["income"])],
            HistGradientBoostingClassifier(max_iter=8, max_depth=4),
        ),
    ):
        model = make_pipeline(make_column_transformer(*steps), final)
        write(name, model.fit(X, y), X, few)


if __name__ == "__main__":
    boosting_cases()
    mixed_cases()
