"""Models made of models: pipelines, searches and the user's subclasses of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import penstock

X, Y = load_breast_cancer().data[:, :4], load_breast_cancer().target


class Careful(Pipeline):
    """A pipeline that says 0 where the first column is beyond what it has seen."""

    def predict(self, X):
        return np.where(np.asarray(X)[:, 0] > 50, 0, super().predict(X))


class Rounded(Pipeline):
    """A pipeline whose probabilities are the user's own."""

    def predict_proba(self, X):
        return super().predict_proba(X).round(12)


class Doubled(Pipeline):
    """A pipeline that does more than pass its rows on, as a step of another."""

    def transform(self, X):
        return super().transform(X) * 1.0


class CarefulSearch(GridSearchCV):
    """A search whose predict is the user's own."""

    def predict(self, X):
        return np.where(np.asarray(X)[:, 0] > 50, 0, super().predict(X))


def steps(final: object) -> list[tuple[str, object]]:
    return [("scale", StandardScaler()), ("final", final)]


@pytest.mark.parametrize("final", [LogisticRegression(), GaussianNB()], ids=["own", "onnxruntime"])
@pytest.mark.parametrize(
    ("wrap", "told"),
    [
        (lambda final: Careful(steps(final)), "Careful changes how Pipeline predicts"),
        (lambda final: Rounded(steps(final)), "Rounded changes how Pipeline predicts"),
        (
            lambda final: make_pipeline(Doubled([("scale", StandardScaler())]), final),
            "Doubled changes how Pipeline predicts",
        ),
        (
            lambda final: make_pipeline(StandardScaler(), Careful(steps(final))),
            "Careful changes how Pipeline predicts",
        ),
        (
            lambda final: VotingClassifier([("a", Careful(steps(final))), ("b", GaussianNB())]),
            "Careful changes how Pipeline predicts",
        ),
        (
            lambda final: GridSearchCV(Careful(steps(final)), {}, cv=2),
            "Careful changes how Pipeline predicts",
        ),
        (
            lambda final: CarefulSearch(make_pipeline(StandardScaler(), final), {}, cv=2),
            "CarefulSearch changes how BaseSearchCV predicts",
        ),
    ],
    ids=["predict", "predict_proba", "transform", "nested", "voting", "searched", "search"],
)
def test_a_subclass_that_changes_answers_has_no_native_form(wrap, final, told: str) -> None:
    model = wrap(final).fit(X, Y)
    version = penstock.register(model, X, name="m")
    assert version.engine == "python"
    assert told in version.engine_reason


def test_a_model_with_a_method_of_its_own_has_no_native_form() -> None:
    model = GradientBoostingClassifier(n_estimators=2).fit(X, Y)
    plain = model.predict
    model.predict = lambda X: plain(X)  # noqa: PLW0108
    with pytest.raises(penstock.InvalidArgumentError, match="predict of Gradient.* was replaced"):
        penstock.register(model, X, name="m", engine="onnxruntime")


class Named(Pipeline):
    """A pipeline with more to it than scikit-learn's, which answers as that does."""

    def describe(self) -> str:
        return " -> ".join(name for name, _ in self.steps)


def test_a_subclass_that_keeps_the_answers_is_native(check_same) -> None:
    search = GridSearchCV(Named(steps(LogisticRegression())), {"final__C": [0.1, 1.0]}, cv=2)
    for model in (Named(steps(LogisticRegression())).fit(X, Y), search.fit(X, Y)):
        version = penstock.register(model, X, name="m")
        assert version.engine == "own", version.engine_reason
        check_same(version, model, X, exact=False)


def customers_model(final: object) -> Pipeline:
    numbers = ("numbers", StandardScaler(), ["age", "monthly income"])
    kinds = ("kinds", OneHotEncoder(handle_unknown="ignore"), ["region"])
    return make_pipeline(ColumnTransformer([numbers, kinds]), final)


@pytest.mark.parametrize(
    "model",
    [
        CalibratedClassifierCV(customers_model(LogisticRegression()), cv=2),
        VotingClassifier([("a", customers_model(LogisticRegression()))]),
        StackingClassifier([("a", customers_model(LogisticRegression()))], cv=2),
        TransformedTargetRegressor(customers_model(Ridge()), transformer=StandardScaler()),
        OneVsRestClassifier(customers_model(LogisticRegression())),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_model_over_a_pipeline_that_picks_columns(check_same, customers, model) -> None:
    X = customers.dropna()[["age", "monthly income", "region"]]
    y = (X["age"] > 50).astype(int)
    model.fit(X, y)
    version = penstock.register(model, X, name="m")
    if version.engine == "python":
        assert "skl2onnx cannot convert the " + type(model).__name__ in version.engine_reason
    else:
        check_same(version, model, X, exact=False)


@pytest.mark.parametrize(
    "columns",
    [slice(0, 2), slice(1, None), slice("age", "monthly income"), [0, 1], "age", lambda X: [0]],
    ids=["slice", "open slice", "slice of names", "numbers", "name", "function"],
)
def test_columns_are_picked_in_every_way(check_same, customers, columns) -> None:
    X = customers[["age", "monthly income"]].fillna(0.0)
    y = (X["age"] > 50).astype(int)
    counter = CountVectorizer(preprocessor=str, token_pattern=r"\d+")
    step = counter if isinstance(columns, str) else StandardScaler()
    picked = ColumnTransformer([("numbers", step, columns)], remainder="passthrough")
    model = make_pipeline(picked, LogisticRegression(max_iter=5000)).fit(X, y)
    version = penstock.register(model, X, name="m")
    if version.engine == "python":
        assert "skl2onnx cannot convert the Pipeline" in version.engine_reason
    else:
        check_same(version, model, X, exact=False)


def test_one_column_of_text_is_picked_by_its_place(check_same) -> None:
    X = pd.DataFrame({"text": ["good day", "bad day", "good night", "bad"] * 10})
    words = ColumnTransformer([("words", CountVectorizer(), 0)])
    model = make_pipeline(words, LogisticRegression()).fit(X, [1, 0, 1, 0] * 10)
    version = penstock.register(model, X, name="m")
    assert version.engine == "onnxruntime", version.engine_reason
    check_same(version, model, X, exact=False)


def test_a_model_that_an_exporter_fails_at_is_kept(monkeypatch) -> None:
    def fail(subject: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("penstock._export.own.own_candidate", fail)
    monkeypatch.setattr("penstock._export.onnx.onnx_candidates", fail)
    version = penstock.register(LogisticRegression().fit(X, Y), X, name="m")
    assert version.engine == "python"
    assert "exporter failed (ZeroDivisionError: of all things)" in version.engine_reason


@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder()], ids=["one-hot", "ordinal"])
@pytest.mark.parametrize("columns", [["region", "plan"], [1, 2], slice(1, 3)])
@pytest.mark.parametrize("engine", ["own", "onnxruntime"])
def test_a_category_that_only_the_encoder_knows_is_answered(
    customers, encoder, columns, engine: str
) -> None:
    X = customers[["age", "region", "plan"]].astype({"plan": object})
    numbers = ("numbers", StandardScaler(), ["age"])
    filled = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)
    model = make_pipeline(
        ColumnTransformer([numbers, ("kinds", filled, columns)]), LogisticRegression()
    ).fit(X, X["age"] > 50)
    few = X[X["region"] != "south"].head(200)
    version = penstock.register(model, few, name="m", engine=engine)
    assert version.engine == engine, version.engine_reason
    assert version.signature["inputs"][1]["categories"] == ["north", "south", "é ü"]
    south = X[X["region"] == "south"].head()
    np.testing.assert_array_equal(version.predict(south), model.predict(south))
    with pytest.raises(penstock.InvalidArgumentError, match="original refuses what it does not"):
        version.predict(south.assign(region="west"))


def test_numbers_that_are_categories_are_told_what_makes_them_native(check_same) -> None:
    X = pd.DataFrame({"class": [1, 2, 3] * 40, "fare": np.linspace(5, 80, 120)})
    y = (X["fare"] > 30).astype(int) ^ (X["class"] == 1)

    def fitted(rows: pd.DataFrame, **options: str) -> Pipeline:
        kinds = ("kinds", OneHotEncoder(**options), ["class"])
        picked = ColumnTransformer([kinds], remainder=StandardScaler())
        return make_pipeline(picked, LogisticRegression()).fit(rows, y)

    version = penstock.register(fitted(X), X, name="m")
    assert version.engine == "python"
    assert "cast the column to text before fitting" in version.engine_reason
    assert "handle_unknown='ignore'" in version.engine_reason

    as_text = X.astype({"class": str})
    for model, rows in (
        (fitted(as_text), as_text),
        (fitted(X, handle_unknown="ignore"), X),
    ):
        version = penstock.register(model, rows, name="m")
        assert version.engine == "own", version.engine_reason
        check_same(version, model, rows, exact=False)
