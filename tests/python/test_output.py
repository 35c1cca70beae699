"""Predictors that the user wrote, and outputs: what a service answers in place of labels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import requests
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import _penstock
import penstock
from penstock import InvalidArgumentError, Output

Predictor = Callable[[Any, Any], Any]


@pytest.fixture(scope="module")
def cancer() -> tuple[pd.DataFrame, Any]:
    """Return 569 rows of 30 columns, and a model with the classes "benign" and "malignant"."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    labels = np.where(y == 1, "benign", "malignant")
    return X, make_pipeline(StandardScaler(), LogisticRegression()).fit(X, labels)


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, Any]:
    """Return 1,797 rows of 64 columns, and a model with ten classes."""
    X, y = load_digits(return_X_y=True)
    return X, RandomForestClassifier(n_estimators=20, random_state=0).fit(X, y)


def served(version: Any, X: Any) -> list[Any]:
    """Return what the native server answers."""
    rows = X.to_numpy().tolist() if isinstance(X, pd.DataFrame) else X.tolist()
    with version.serve() as service:
        answer = requests.post(service.url + "/predict", json={"features": rows}, timeout=60)
        schema = requests.get(service.url + "/openapi.json", timeout=60).json()
    assert answer.status_code == 200, answer.text
    body = answer.json()
    schemas = schema["components"]["schemas"]
    told = next(each for name, each in schemas.items() if "Answer" in name)
    check(body["predictions"], told["properties"]["predictions"])
    predictions: list[Any] = body["predictions"]
    return predictions


def check(value: Any, schema: dict[str, Any]) -> None:
    import jsonschema

    jsonschema.Draft202012Validator(schema).validate(value)


def listed(value: Any) -> Any:
    return json.loads(json.dumps(np.asarray(value).tolist() if hasattr(value, "tolist") else value))


BINARY: dict[str, Predictor] = {
    "labels": lambda m, X: m.predict(X),
    "a list of labels": lambda m, X: m.predict(X).tolist(),
    "labels as text": lambda m, X: [str(label) for label in m.predict(X)],
    "labels under other names": lambda m, X: [
        {"benign": "ok", "malignant": "see a doctor"}[label] for label in m.predict(X)
    ],
    "labels as numbers": lambda m, X: [float(label == "malignant") for label in m.predict(X)],
    "labels as booleans": lambda m, X: m.predict(X) == "malignant",
    "a column of probabilities": lambda m, X: m.predict_proba(X)[:, 1],
    "the other column": lambda m, X: [float(p) for p in m.predict_proba(X)[:, 0]],
    "all probabilities": lambda m, X: m.predict_proba(X),
    "named probabilities": lambda m, X: [
        dict(zip(m.classes_, row, strict=True)) for row in m.predict_proba(X)
    ],
    "named in another order": lambda m, X: [
        {"yes": float(row[1]), "no": float(row[0])} for row in m.predict_proba(X)
    ],
    "a frame of probabilities": lambda m, X: pd.DataFrame(
        m.predict_proba(X), columns=["benign", "malignant"]
    ),
    "a threshold": lambda m, X: m.predict_proba(X)[:, 1] > 0.37,
    "a threshold that includes": lambda m, X: m.predict_proba(X)[:, 1] >= 0.37,
    "a threshold of the first class": lambda m, X: [
        "sure" if p > 0.9 else "ask" for p in m.predict_proba(X)[:, 0]
    ],
    "the other side of a threshold": lambda m, X: (m.predict_proba(X)[:, 1] < 0.2).astype(int),
    "a series": lambda m, X: pd.Series(m.predict(X)).map({"benign": 0, "malignant": 1}),
}


@pytest.mark.parametrize("name", BINARY)
def test_a_predictor_of_two_classes_is_answered_natively(
    cancer: tuple[pd.DataFrame, Any], name: str
) -> None:
    X, model = cancer
    predictor = BINARY[name]
    version = penstock.register(model, X, name="cancer", predict=predictor)
    assert version.engine == "own"
    original = predictor(model, X)
    if isinstance(original, pd.DataFrame):
        original = original.to_dict("records")
    answered = version.predict(X)
    assert type(answered) is (np.ndarray if isinstance(original, np.ndarray) else list)
    assert close(listed(answered), listed(original))
    assert close(served(version, X.head(50)), listed(original)[:50])


def close(left: Any, right: Any) -> bool:
    if isinstance(left, list):
        return len(left) == len(right) and all(map(close, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(close(left[k], right[k]) for k in left)
    if isinstance(left, float) and isinstance(right, float):
        return abs(left - right) <= 1e-9 * max(1.0, abs(right))
    return type(left) is type(right) and left == right


MANY: dict[str, Predictor] = {
    "labels as floats": lambda m, X: [float(label) for label in m.predict(X)],
    "the three most probable": lambda m, X: m.classes_[
        np.argsort(-m.predict_proba(X), axis=1, kind="stable")[:, :3]
    ],
    "the same from behind": lambda m, X: m.classes_[
        np.argsort(m.predict_proba(X), axis=1, kind="stable")[:, ::-1][:, :3]
    ],
    "the most probable under names": lambda m, X: [
        [f"digit {i}" for i in sorted(range(10), key=lambda i, row=row: -row[i])[:2]]
        for row in m.predict_proba(X).tolist()
    ],
    "one of ten probabilities": lambda m, X: m.predict_proba(X)[:, 7],
    "a threshold of one of ten": lambda m, X: m.predict_proba(X)[:, 7] >= 0.5,
}


@pytest.mark.parametrize("name", MANY)
def test_a_predictor_of_ten_classes_is_answered_natively(
    digits: tuple[np.ndarray, Any], name: str
) -> None:
    X, model = digits
    predictor = MANY[name]
    version = penstock.register(model, X, name="digits", predict=predictor)
    expected = listed(predictor(model, X))
    assert version.engine == "own"
    # A forest of 20 trees has ties in almost every row.
    assert listed(version.predict(X)) == expected
    assert served(version, X[:100]) == expected[:100]


def test_a_threshold_is_found_to_the_last_bit(cancer: tuple[pd.DataFrame, Any]) -> None:
    X, model = cancer
    for t in (0.37, 0.1 + 0.2, float(np.nextafter(0.5, 1)), 0.0, 1e-300):
        above = penstock.register(
            model, X, name="cancer", predict=lambda m, X, t=t: m.predict_proba(X)[:, 1] > t
        )
        assert above.signature["output"]["threshold"] == np.nextafter(t, 2)
    from_t = penstock.register(
        model, X, name="cancer", predict=lambda m, X: m.predict_proba(X)[:, 1] >= 0.37
    )
    assert from_t.signature["output"]["threshold"] == 0.37


def twice(m: Any, X: Any) -> Any:
    return [f"{a} {b}" for a, b in zip(m.predict(X), m.predict(X), strict=True)]


def altered(m: Any, X: Any) -> Any:
    return m.predict(X * 2)


def in_place(m: Any, X: Any) -> Any:
    X.iloc[:, 0] = 0
    return m.predict(X)


def around(m: Any, X: Any) -> Any:
    return m.named_steps["logisticregression"].predict(m.named_steps["standardscaler"].transform(X))


@pytest.mark.parametrize(
    ("predictor", "reason"),
    [
        (lambda m, X: m.predict_proba(X)[:, 1].round(3), "none of the outputs"),
        (lambda m, X: m.predict_proba(X)[:, 1] > X.iloc[:, 0].mean(), "none of the outputs"),
        (lambda m, X: ((p := m.predict_proba(X)[:, 1]) > 0.2) & (p < 0.8), "none of the outputs"),
        (twice, "calls predict more than once"),
        (altered, "looks at the features"),
        (in_place, "looks at the features"),
        (around, "looks at the features"),
        (lambda m, X: m.decision_function(X), "more of the model than predict and predict_proba"),
    ],
)
def test_what_else_a_predictor_does_runs_in_a_worker(
    cancer: tuple[pd.DataFrame, Any], predictor: Predictor, reason: str
) -> None:
    X, model = cancer
    before = X.copy()
    version = penstock.register(model, X, name="cancer", predict=predictor)
    assert version.engine == "python"
    assert reason in version.engine_reason
    pd.testing.assert_frame_equal(X, before)
    expected = listed(predictor(model, X.head(20).copy()))
    assert close(listed(version.predict(X.head(20))), expected)
    assert close(served(version, X.head(20)), expected)


@pytest.mark.parametrize(
    ("predictor", "sentence"),
    [
        (lambda m, X: m.predict(X)[:1], "returned an array of shape"),
        (lambda m, X: "no", "the predictor '<lambda>' returns a str, not one answer a row"),
        (
            lambda m, X: m.predict(X).reshape(3, 5),
            "the predictor '<lambda>' cannot predict .*cannot",
        ),
        (lambda m, X: {"all": m.predict(X)}, "returns a dict, not one answer a row"),
        (lambda m, X: [{"a": 1} for _ in range(len(X))], "returns a dict for a row, and a service"),
        (lambda m, X: [("no", 0.5) for _ in range(len(X))], "returns a tuple of texts or objects"),
        (lambda m, X: [[1.0] * (1 + i % 2) for i in range(len(X))], "rows of several lengths"),
        (lambda m, X: pl.DataFrame({"a": ["no"] * len(X)}), "returns a list of texts or objects"),
    ],
)
def test_a_predictor_that_answers_no_rows_is_refused(
    cancer: tuple[pd.DataFrame, Any], predictor: Predictor, sentence: str
) -> None:
    X, model = cancer
    with pytest.raises(InvalidArgumentError, match=sentence):
        penstock.register(model, X, name="cancer", predict=predictor)
    with pytest.raises(penstock.NotFoundError):
        penstock.load("cancer")


def test_a_predictor_of_numbers_passes_them_on() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = LinearRegression().fit(X, y)
    version = penstock.register(
        model, X, name="diabetes", predict=lambda m, X: [float(x) for x in m.predict(X)]
    )
    answered = version.predict(X[:5])
    assert isinstance(answered, list)
    np.testing.assert_allclose(answered, model.predict(X[:5]), rtol=1e-12)
    version = penstock.register(
        model, X, name="diabetes", predict=lambda m, X: np.exp(m.predict(X) / 100)
    )
    assert "other numbers than the model's predict" in version.engine_reason
    # On these rows it changes nothing: it is not taken for the model all the same.
    clipped = penstock.register(
        model, X, name="clipped", predict=lambda m, X: np.clip(m.predict(X), 0, None)
    )
    assert clipped.engine == "python"
    np.testing.assert_allclose(version.predict(X[:5]), np.exp(model.predict(X[:5]) / 100))


def outputs() -> Iterator[tuple[Output, Callable[[Any, Any], Any]]]:
    yield Output(probability="malignant"), lambda m, X: m.predict_proba(X)[:, 1].tolist()
    yield Output(probability=True), lambda m, X: m.predict_proba(X)[:, 1].tolist()
    yield (
        Output(probability=True, names=["b", "m"]),
        lambda m, X: [{"b": p, "m": q} for p, q in m.predict_proba(X)],
    )
    yield Output(threshold=0.37), lambda m, X: (m.predict_proba(X)[:, 1] >= 0.37).tolist()
    yield (
        Output(threshold=0.9, probability="benign", names=["ask", "sure"]),
        lambda m, X: ["sure" if p >= 0.9 else "ask" for p in m.predict_proba(X)[:, 0]],
    )
    yield Output(names=[0, 1]), lambda m, X: (m.predict(X) == "malignant").astype(int).tolist()
    yield (
        Output(top_k=1),
        lambda m, X: [[label] for label in m.predict(X)],
    )


@pytest.mark.parametrize(("output", "expected"), list(outputs()))
def test_an_output_is_data(
    cancer: tuple[pd.DataFrame, Any], output: Output, expected: Callable[[Any, Any], Any]
) -> None:
    X, model = cancer
    version = penstock.register(model, X, name="cancer", output=output)
    assert close(version.predict(X), listed(expected(model, X)))
    assert close(served(version, X.head(20)), listed(expected(model, X.head(20))))


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (Output(), "says nothing"),
        (Output(probability="malign"), "no class of the model; 'benign' and 'malignant' are"),
        (Output(threshold=1.5), "threshold 1.5; a probability from 0 to 1"),
        (Output(names=["one"]), "has 1 names; 2 were expected"),
        (Output(top_k=3), "top_k 3; 1 to 2"),
        (Output(top_k=1, threshold=0.5), "top_k beside another"),
    ],
)
def test_an_output_that_does_not_fit_is_refused(
    cancer: tuple[pd.DataFrame, Any], output: Output, sentence: str
) -> None:
    X, model = cancer
    with pytest.raises(InvalidArgumentError, match=sentence):
        penstock.register(model, X, name="cancer", output=output)


def test_a_threshold_is_compared_in_the_models_own_precision() -> None:
    from xgboost import XGBClassifier

    X, y = load_breast_cancer(return_X_y=True)
    model = XGBClassifier(n_estimators=3, max_depth=2).fit(X, y)
    at = np.unique(model.predict_proba(X)[:, 1])[3]
    between = (float(at) + float(np.nextafter(at, np.float32(1)))) / 2
    for t in (float(at), between):
        version = penstock.register(
            model, X, name="boosted", predict=lambda m, X, t=t: m.predict_proba(X)[:, 1] >= t
        )
        assert version.engine == "own"
        expected = model.predict_proba(X)[:, 1] >= t
        np.testing.assert_array_equal(version.predict(X), expected)
        assert served(version, X[:100]) == expected[:100].tolist()


def test_the_probability_of_a_class_that_is_zero() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    version = penstock.register(model, X, name="zero", output=Output(probability=0))
    np.testing.assert_allclose(version.predict(X), model.predict_proba(X)[:, 0], rtol=1e-9)


def test_another_output_is_another_model(
    cancer: tuple[pd.DataFrame, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    X, model = cancer
    for threshold in (0.5, 0.37):
        penstock.register(model, X, name="cancer", output=Output(threshold=threshold))
    _penstock.cli_main(["penstock", "models", "diff", "cancer@1", "cancer@2"], None)
    told = capfd.readouterr().out
    assert "answers" in told and "same model" not in told


def test_outputs_of_probabilities_need_some(cancer: tuple[pd.DataFrame, Any]) -> None:
    X, _ = cancer
    model = LinearSVC().fit(X, X.iloc[:, 0] > 14)
    with pytest.raises(InvalidArgumentError, match="the model has no predict_proba"):
        penstock.register(model, X, name="svc", output=Output(threshold=0.5))
    with pytest.raises(InvalidArgumentError, match="give one of them"):
        penstock.register(
            model, X, name="svc", output=Output(names=["a", "b"]), predict=lambda m, X: m.predict(X)
        )
    version = penstock.register(model, X, name="svc", output=Output(names=["small", "large"]))
    assert set(version.predict(X)) == {"small", "large"}


def test_a_model_of_an_app_registers_with_its_predictor() -> None:
    frame = load_digits(as_frame=True).frame
    dataset = penstock.Dataset("digits", source=lambda: frame, targets=["target"])
    model = penstock.Model("digits", LogisticRegression, dataset=dataset)

    @model.predictor
    def predict(fitted: Any, X: pd.DataFrame) -> list[float]:
        return [float(x) for x in fitted.predict(X)]

    fitted, _ = model.train(hyperparameters={"max_iter": 2000})
    version = model.register()
    features = frame.drop(columns="target").head(5)
    assert version.predict(features) == predict(fitted, features) == model.predict(features)
    assert served(version, features) == predict(fitted, features)


def test_a_predictor_that_returns_a_polars_frame_runs_in_a_worker(
    cancer: tuple[pd.DataFrame, Any],
) -> None:
    X, model = cancer

    def in_polars(m: Any, X: pd.DataFrame) -> pl.DataFrame:
        return pl.DataFrame(m.predict_proba(X) * 2, schema=["a", "b"])

    version = penstock.register(model, X, name="cancer", predict=in_polars)
    assert version.engine == "python"
    expected = in_polars(model, X.head(20)).to_numpy()
    np.testing.assert_array_equal(version.predict(X.head(20)), expected)


class Rare:
    """Answers True, or a text, for rows that are not among those of the registration."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers = np.array(answers)

    def predict(self, X: Any) -> Any:
        return self.answers[(np.asarray(X)[:, 0] > 100).astype(int)]


@pytest.mark.parametrize("answers", [[False, True], [True, False]])
def test_a_bool_that_was_never_seen_is_answered(answers: list[bool]) -> None:
    X = np.arange(20.0).reshape(10, 2)
    version = penstock.register(Rare(answers), X, name="rare")
    assert version.engine == "python"
    asked = np.array([[1.0, 2.0], [101.0, 2.0]])
    assert version.predict(asked).tolist() == answers
    assert served(version, asked) == answers


def test_a_text_that_was_never_seen_is_told_with_the_remedy() -> None:
    X = np.arange(20.0).reshape(10, 2)
    version = penstock.register(Rare(["common", "rare"]), X, name="rare")
    with pytest.raises(
        penstock.InternalError,
        match="predict returned the label 'rare', which is not one of the 1 .* register it again "
        "with rows for which it returns that label",
    ):
        version.predict([[101.0, 2.0]])
