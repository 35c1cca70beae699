"""Models that ONNX Runtime runs: they pass parity, or it is told why not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR

import penstock

# Six columns are enough to tell answers apart; each column costs probes.
BC = (load_breast_cancer().data[:, :6], load_breast_cancer().target)
DIABETES = load_diabetes(return_X_y=True)
NAMES = np.array(["no", "yes"])
STEPS = {"n_estimators": 20, "random_state": 0}


@pytest.mark.parametrize(
    "model",
    [
        GradientBoostingClassifier(**STEPS),
        make_pipeline(StandardScaler(), GradientBoostingClassifier(**STEPS)),
        HistGradientBoostingClassifier(max_iter=20, random_state=0),
        GaussianNB(),
        SVC(),
        make_pipeline(StandardScaler(), MLPClassifier(max_iter=30, random_state=0)),
        make_pipeline(StandardScaler(), PCA(5), LogisticRegression()),
        VotingClassifier([("a", GaussianNB()), ("b", LogisticRegression(max_iter=5000))]),
    ],
    ids=lambda model: type(getattr(model, "steps", [[None, model]])[-1][1]).__name__,
)
@pytest.mark.parametrize("labels", [np.array([0, 1]), NAMES, np.array([False, True])], ids=str)
def test_classifiers_agree(check_same, model, labels) -> None:
    X, y = BC[0], labels[BC[1]]
    model.fit(X, y)
    version = penstock.register(model, X, y, name="m", engine="onnxruntime")
    assert version.engine == "onnxruntime", version.engine_reason
    check_same(version, model, X, exact=False)


@pytest.mark.parametrize(
    "model",
    [
        GradientBoostingRegressor(**STEPS),
        HistGradientBoostingRegressor(max_iter=20, random_state=0),
        SVR(),
        MLPRegressor(max_iter=50, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_regressors_agree(model) -> None:
    X, y = DIABETES
    model.fit(X, y)
    version = penstock.register(model, X, y, name="m", engine="onnxruntime")
    assert version.engine == "onnxruntime", version.engine_reason
    np.testing.assert_allclose(version.predict(X), model.predict(X), rtol=1e-5)
    assert version.predict(X).dtype == model.predict(X).dtype


@pytest.mark.parametrize("seed", [0, 1])
def test_gradient_boosting_on_many_rows_agrees_in_every_label(blurred_digits, seed: int) -> None:
    X, y = blurred_digits(seed, 3000)
    X = X[:, 20:32]
    for model in (
        GradientBoostingClassifier(n_estimators=5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
    ):
        model.fit(X, y)
        version = penstock.register(model, X, y, name="m", engine="onnxruntime")
        assert version.engine == "onnxruntime", version.engine_reason
        assert version.parity.differing == 0
        np.testing.assert_array_equal(version.predict(X), model.predict(X))


def test_clusters_and_outliers_keep_their_dtype(check_same) -> None:
    X = BC[0]
    for model in (
        KMeans(4, n_init=1, random_state=0).fit(X),
        IsolationForest(n_estimators=20, random_state=0).fit(X),
    ):
        version = penstock.register(model, X, name="m")
        assert version.engine == "onnxruntime", version.engine_reason
        check_same(version, model, X)


def mixed(*, final, trees: bool = False):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_pipeline(
        ColumnTransformer(
            [
                ("numbers", numbers, ["age", "monthly income", "score"]),
                ("kinds", OneHotEncoder(handle_unknown="ignore"), ["region", "plan"]),
                ("rest", "passthrough", ["is_new"]),
            ]
        ),
        final,
    )


@pytest.mark.parametrize(
    "final",
    [LogisticRegression(max_iter=500), RandomForestClassifier(**STEPS), GaussianNB()],
    ids=lambda final: type(final).__name__,
)
def test_a_frame_of_numbers_text_and_gaps(check_same, customers: pd.DataFrame, final) -> None:
    y = NAMES[((customers["age"] > 50) ^ customers["is_new"]).astype(int)]
    if isinstance(final, GaussianNB):
        final = make_pipeline(PCA(3), final)
    model = mixed(final=final).fit(customers, y)
    version = penstock.register(model, customers, y, name="m", engine="onnxruntime")
    assert version.engine == "onnxruntime", version.engine_reason
    assert [c["type"] for c in version.signature["inputs"]] == [
        "int64",
        "float64",
        "float32",
        "string",
        "string",
        "bool",
    ]
    check_same(version, model, customers, exact=False)


def test_columns_picked_by_type(customers: pd.DataFrame) -> None:
    X = customers.drop(columns=["is_new", "plan"])
    model = make_pipeline(
        make_column_transformer(
            (
                make_pipeline(SimpleImputer(), StandardScaler()),
                make_column_selector(dtype_include=np.number),
            ),
            (OneHotEncoder(), make_column_selector(dtype_exclude=np.number)),
        ),
        Ridge(),
    ).fit(X, customers["age"] * 2.5)
    version = penstock.register(model, X, name="m", engine="onnxruntime")
    assert version.engine == "onnxruntime", version.engine_reason
    np.testing.assert_allclose(version.predict(X), model.predict(X), rtol=1e-5)


def test_text_with_a_plain_token_pattern_agrees() -> None:
    texts = pd.Series(["red apple", "green tree", "it is an apple", "blue sky"] * 20)
    y = np.array([0, 1, 0, 1] * 20)
    pattern = "[a-zA-Z0-9]+"
    model = make_pipeline(TfidfVectorizer(token_pattern=pattern), LogisticRegression()).fit(
        texts, y
    )
    version = penstock.register(model, texts, y, name="m")
    assert version.engine == "onnxruntime", version.engine_reason
    np.testing.assert_array_equal(version.predict(texts), model.predict(texts))


@pytest.mark.parametrize(
    ("span", "model"),
    [
        # SVMRegressor has no float64: only the float32 form is left to try.
        (3e7, make_pipeline(StandardScaler(), SVR())),
        (1e6, HistGradientBoostingRegressor(max_iter=20, random_state=0)),
    ],
    ids=["SVR", "HistGradientBoostingRegressor"],
)
def test_seconds_that_float32_loses_are_told_and_a_fit_on_float32_is_native(
    span: float, model
) -> None:
    random = np.random.default_rng(0)
    seconds = random.uniform(0, span, 500)
    X = np.column_stack([1.7e9 + seconds, random.normal(size=500)])
    y = seconds / span * 30
    version = penstock.register(model.fit(X, y), X, y, name="m", engine="onnxruntime")
    assert version.engine == "python"
    assert "differs on" in version.engine_reason
    assert "fit the model on X.astype('float32')" in version.engine_reason
    worst = [form for form in version.parity.report["candidates"] if form["worst"]]
    assert worst[-1]["precision"] == "float32"
    single = X.astype("float32")
    version = penstock.register(model.fit(single, y), single, y, name="m", engine="onnxruntime")
    assert version.engine == "onnxruntime", version.engine_reason


def test_an_engine_can_be_asked_for(check_same, digits) -> None:
    X, y = digits[0][:, 20:32], digits[1]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(X, y)
    version = penstock.register(model, X, y, name="m", engine="onnxruntime")
    assert version.engine == "onnxruntime"
    check_same(version, model, X, exact=False)
    with pytest.raises(penstock.InvalidArgumentError, match="engine 'own'.*GaussianNB"):
        penstock.register(GaussianNB().fit(X, y), X, name="m", engine="own")
    with pytest.raises(penstock.InvalidArgumentError, match="no engine 'tensorrt'"):
        penstock.register(model, X, name="m", engine="tensorrt")


def test_the_converter_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    X, y = BC
    penstock.register(GaussianNB().fit(X, y), X, name="m")
    assert capfd.readouterr() == ("", "")


def test_the_same_model_gives_the_same_package() -> None:
    X, y = BC
    model = GaussianNB().fit(X, y)
    forms = []
    for name in ("a", "b"):
        version = penstock.register(model, X, name=name)
        forms.append(version._unpacked.path)
    from pathlib import Path

    first, second = (Path(path, "model.onnx").read_bytes() for path in forms)
    assert first == second
