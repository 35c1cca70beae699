"""Tables of numbers, text, booleans and gaps in the own evaluator."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import requests
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

import penstock

NUMBERS = ["age", "monthly income", "score"]
TEXTS = ["region", "plan"]


@pytest.fixture
def people(customers: pd.DataFrame) -> pd.DataFrame:
    """Return the customers with gaps in a column of text, and one text that is seldom."""
    frame = customers.astype({"region": object, "plan": object})
    frame.loc[::11, "region"] = np.nan
    frame.loc[[3, 5, 8], "plan"] = "trial"
    return frame


def classes_of(frame: pd.DataFrame) -> np.ndarray:
    return ((frame["age"] > 50) ^ (frame["plan"] == "pro")).astype(int).to_numpy()


SCALED = make_pipeline(SimpleImputer(), StandardScaler())
FLAGGED = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), MinMaxScaler())
USUAL = make_pipeline(
    SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
)
NAMED = make_pipeline(
    SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder(handle_unknown="ignore")
)
CODES = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
GAPS = OrdinalEncoder(
    handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=-2
)


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        OneHotEncoder(handle_unknown="ignore", drop="first"),
        OneHotEncoder(drop="if_binary"),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=10),
        OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=2, drop="first"),
        OneHotEncoder(handle_unknown="warn", min_frequency=10),
        OneHotEncoder(handle_unknown="ignore", min_frequency=10),
        OneHotEncoder(min_frequency=10),
        USUAL,
        NAMED,
        make_pipeline(CODES, OneHotEncoder(handle_unknown="ignore")),
        TargetEncoder(),
    ],
    ids=repr,
)
def test_encoders_of_text_agree(check_same, people: pd.DataFrame, encoder) -> None:
    steps = [(SCALED, NUMBERS), (encoder, TEXTS), ("passthrough", ["is_new"])]
    y = classes_of(people)
    model = make_pipeline(make_column_transformer(*steps), LogisticRegression()).fit(people, y)
    version = penstock.register(model, people, y, name="m")
    assert version.engine == "own", version.engine_reason
    assert version.parity.differing == 0
    check_same(version, model, people, exact=False)


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=5),
        CODES,
        GAPS,
        TargetEncoder(),
    ],
    ids=repr,
)
def test_encoders_of_numbers_and_booleans_agree(check_same, people, encoder) -> None:
    X = people.assign(score=people["score"].round())[["age", "score", "is_new"]]
    X.loc[::13, "score"] = np.nan
    y = X["age"].to_numpy() % 3
    final = HistGradientBoostingClassifier(max_iter=5, random_state=0)
    encode = ColumnTransformer([("kinds", encoder, list(X.columns))], sparse_threshold=0)
    model = make_pipeline(encode, final).fit(X, y)
    version = penstock.register(model, X, y, name="m")
    assert version.engine == "own", version.engine_reason
    check_same(version, model, X)


@pytest.mark.parametrize(
    ("steps", "remainder"),
    [
        ([(FLAGGED, NUMBERS), (CODES, TEXTS)], "drop"),
        ([(FLAGGED, NUMBERS), (CODES, TEXTS)], "passthrough"),
        ([("passthrough", ["score", "age"]), (GAPS, ["region"]), ("drop", ["plan"])], SCALED),
        ([(make_column_transformer((SCALED, [1, 0])), NUMBERS)], "drop"),
        ([(FunctionTransformer(), ["age"]), (SimpleImputer(strategy="constant"), [2, 1])], "drop"),
        ([(CODES, make_column_selector(dtype_include=object))], FLAGGED),
        ([(FLAGGED, slice("age", "score")), (CODES, slice(-3, -1))], "drop"),
    ],
    ids=["flags", "passthrough", "scaled", "nested", "identity", "selected", "slices"],
)
def test_columns_are_put_together_as_scikit_learn_does(
    people, check_same, steps, remainder
) -> None:
    y = classes_of(people)
    forest = RandomForestClassifier(10, random_state=0)
    encode = make_column_transformer(*steps, remainder=remainder)
    order = ["age", "monthly income", "score", "region", "plan", "is_new"]
    model = make_pipeline(encode, forest).fit(people[order], y)
    version = penstock.register(model, people[order], y, name="m")
    assert version.engine == "own", version.engine_reason
    check_same(version, model, people[order])


@pytest.mark.parametrize("kind", ["array", "list"])
def test_text_in_an_array_or_a_list(check_same, people: pd.DataFrame, kind: str) -> None:
    X = people[["region", "plan"]].fillna("none").to_numpy(dtype=object)
    rows = X if kind == "array" else X.tolist()
    y = classes_of(people)
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(rows, y)
    version = penstock.register(model, rows, y, name="m")
    assert version.engine == "own", version.engine_reason
    check_same(version, model, rows, exact=False)
    with pytest.raises(penstock.InvalidArgumentError, match="region|x0"):
        version.predict(np.array([["nowhere", "pro"]], dtype=object))


def test_a_missing_text_is_not_the_empty_one(people: pd.DataFrame) -> None:
    X = people[["region"]].copy()
    X.loc[::10, "region"] = ""
    y = (X["region"] == "").to_numpy() * 2 + X["region"].isna().to_numpy()
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(X, y)
    version = penstock.register(model, X, y, name="m")
    assert version.engine == "own", version.engine_reason
    probe = pd.DataFrame({"region": ["", np.nan, "north"]}, dtype=object)
    np.testing.assert_array_equal(version.predict(probe), model.predict(probe))
    assert version.predict(probe).tolist() == [2, 1, 0]
    with version.serve(port=0) as service:
        rows = [{"region": ""}, {"region": None}, {"region": "north"}]
        answer = requests.post(f"{service.url}/predict", json={"features": rows}, timeout=60)
        assert answer.json()["predictions"] == [2, 1, 0]


def test_a_marker_and_an_empty_column_are_left_as_scikit_learn_does(check_same) -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 4))
    X[random.random(X.shape) < 0.2] = -9.1
    X[:, 2] = -9.1
    for options in ({}, {"keep_empty_features": True}, {"add_indicator": True}):
        imputer = SimpleImputer(missing_values=-9.1, **options)
        model = make_pipeline(imputer, Ridge()).fit(X, X[:, 0] * 2)
        version = penstock.register(model, X, name="m")
        assert version.engine == "own", version.engine_reason
        check_same(version, model, X, exact=False)


def test_a_marker_of_float32_rows_is_a_float32(check_same) -> None:
    X = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    X[::4, 1] = np.float32(-9.1)
    forest = RandomForestClassifier(5, random_state=0)
    model = make_pipeline(SimpleImputer(missing_values=-9.1), forest).fit(X, X[:, 0] > 0)
    assert model[0].transform(X)[0, 1] > -9
    version = penstock.register(model, X, name="m", engine="own")
    check_same(version, model, X)


class Shouting(OneHotEncoder):
    def transform(self, X):
        return super().transform(X) * 2


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([(Shouting(), TEXTS)], "Shouting is none of its scalers"),
        ([("passthrough", ["age"]), (OneHotEncoder(), TEXTS)], "weighs what its transformers"),
        ([("passthrough", ["age"]), (FunctionTransformer(np.log1p), ["age"])], "FunctionTransf"),
        ([(SimpleImputer(strategy="most_frequent"), TEXTS)], "holds? text where Random"),
    ],
    ids=["subclass", "weights", "function", "text"],
)
def test_what_no_step_repeats_is_refused_with_the_reason(people, steps, reason: str) -> None:
    X, y = people, classes_of(people)
    encode = make_column_transformer(*steps)
    if "weighs" in reason:
        encode.set_params(transformer_weights={"onehotencoder": 2.0})
    if "text" in reason:
        X = people.assign(region="1", plan="2").astype({"region": object, "plan": object})
    model = make_pipeline(encode, RandomForestClassifier(3)).fit(X, y)
    with pytest.raises(penstock.InvalidArgumentError, match=reason):
        penstock.register(model, X, name="m", engine="own")
