"""The models whose parity is recorded: what docs/reference/models.md lists, one test a row.

``bench/matrix.py`` registers each and writes the page; ``test_matrix.py`` holds each to the engine
that is told here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier, XGBRegressor, XGBRFRegressor

Data = tuple[Any, Any]


@dataclass(frozen=True)
class Row:
    """A model, what it is fitted on, which engine runs it."""

    name: str
    data: Callable[[], Data]
    model: Callable[[], Any]
    engine: str = "own"


@cache
def digits() -> Data:
    """1,797 rows, 64 numbers, ten classes."""
    return load_digits(return_X_y=True)


@cache
def cancer() -> Data:
    """569 rows, 30 numbers, two classes."""
    return load_breast_cancer(return_X_y=True)


@cache
def gaps() -> Data:
    """As cancer, a tenth of the numbers missing."""
    X, y = load_breast_cancer(return_X_y=True)
    return np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X), y


@cache
def diabetes() -> Data:
    """442 rows, 10 numbers, a number to tell."""
    return load_diabetes(return_X_y=True)


@cache
def mixed() -> Data:
    """800 rows of numbers, text and booleans with gaps, two classes."""
    random = np.random.default_rng(11)
    n = 800
    X = pd.DataFrame(
        {
            "age": random.integers(18, 90, n),
            "income": random.normal(3000, 900, n),
            "score": random.normal(size=n).astype(np.float32),
            "region": random.choice(["north", "south", "east", "é ü"], n, p=[0.4, 0.3, 0.2, 0.1]),
            "plan": random.choice(["basic", "pro", "trial"], n, p=[0.6, 0.37, 0.03]),
            "is_new": random.random(n) < 0.4,
        }
    )
    y = ((X["age"] > 50) ^ (X["plan"] == "pro") ^ (random.random(n) < 0.1)).astype(int)
    X.loc[::9, "income"] = np.nan
    X.loc[::13, "region"] = np.nan
    return X, np.array(["no", "yes"])[y]


@cache
def kinds() -> Data:
    """As mixed, text as categories, classes as numbers."""
    X, y = mixed()
    return X.astype({"region": "category", "plan": "category"}), (y == "yes").astype(int)


@cache
def texts() -> Data:
    """80 texts, two classes."""
    said = ["red apple", "green tree", "it is an apple", "blue sky"] * 20
    return pd.Series(said), np.array([0, 1, 0, 1] * 20)


NUMBERS = ["age", "income", "score"]
TEXTS = ["region", "plan"]
TREES: dict[str, Any] = {"n_estimators": 100, "random_state": 0}
HIST: dict[str, Any] = {"random_state": 0}
LGBM: dict[str, Any] = {"random_state": 0, "verbose": -1}
LOGISTIC: dict[str, Any] = {"max_iter": 500}


def prepared(final: Any, texts: Any, numbers: Any = None) -> Any:
    """Return a pipeline over the mixed table."""
    numbers = numbers or make_pipeline(SimpleImputer(), StandardScaler())
    encode = make_column_transformer((numbers, NUMBERS), (texts, TEXTS), remainder="passthrough")
    return make_pipeline(encode, final)


def one_hot(**options: Any) -> Any:
    """Return the encoder that most pipelines have."""
    return OneHotEncoder(**({"handle_unknown": "ignore"} | options))


ROWS = [
    Row("LogisticRegression", digits, lambda: LogisticRegression(**LOGISTIC)),
    Row(
        "StandardScaler, LogisticRegression",
        cancer,
        lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    ),
    Row(
        "MinMaxScaler, LogisticRegressionCV",
        cancer,
        lambda: make_pipeline(MinMaxScaler(), LogisticRegressionCV(cv=3, **LOGISTIC)),
    ),
    Row(
        "GridSearchCV over StandardScaler, LogisticRegression",
        cancer,
        lambda: GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression()),
            {"logisticregression__C": [0.1, 1]},
            cv=2,
        ),
    ),
    Row(
        "MaxAbsScaler, SGDClassifier(log_loss)",
        digits,
        lambda: make_pipeline(MaxAbsScaler(), SGDClassifier(loss="log_loss", random_state=0)),
    ),
    Row("RidgeClassifier", digits, RidgeClassifier),
    Row("Perceptron", digits, lambda: Perceptron(random_state=0)),
    Row("LinearDiscriminantAnalysis", cancer, LinearDiscriminantAnalysis),
    Row("StandardScaler, LinearSVC", digits, lambda: make_pipeline(StandardScaler(), LinearSVC())),
    Row("SVC(linear)", cancer, lambda: SVC(kernel="linear")),
    Row(
        "StandardScaler, SVC(linear), ten classes",
        digits,
        lambda: make_pipeline(StandardScaler(), SVC(kernel="linear")),
    ),
    Row("SVR(linear)", diabetes, lambda: SVR(kernel="linear")),
    Row("LinearSVR", diabetes, lambda: LinearSVR(max_iter=10_000)),
    Row("LinearRegression", diabetes, LinearRegression),
    Row("Ridge", diabetes, Ridge),
    Row("Lasso", diabetes, lambda: Lasso(0.1)),
    Row("ElasticNet", diabetes, lambda: ElasticNet(0.1)),
    Row("BayesianRidge", diabetes, BayesianRidge),
    Row("HuberRegressor", diabetes, lambda: HuberRegressor(max_iter=1000)),
    Row("QuantileRegressor", diabetes, QuantileRegressor),
    Row(
        "RobustScaler, SGDRegressor",
        diabetes,
        lambda: make_pipeline(RobustScaler(), SGDRegressor(random_state=0)),
    ),
    Row("DecisionTreeClassifier", digits, lambda: DecisionTreeClassifier(random_state=0)),
    Row("DecisionTreeRegressor", diabetes, lambda: DecisionTreeRegressor(random_state=0)),
    Row("RandomForestClassifier", digits, lambda: RandomForestClassifier(**TREES)),
    Row("RandomForestClassifier, missing values", gaps, lambda: RandomForestClassifier(**TREES)),
    Row("RandomForestRegressor", diabetes, lambda: RandomForestRegressor(**TREES)),
    Row("ExtraTreesClassifier", cancer, lambda: ExtraTreesClassifier(**TREES)),
    Row("ExtraTreesRegressor", diabetes, lambda: ExtraTreesRegressor(**TREES)),
    Row("GradientBoostingClassifier", cancer, lambda: GradientBoostingClassifier(**TREES)),
    Row(
        "GradientBoostingClassifier, ten classes",
        digits,
        lambda: GradientBoostingClassifier(n_estimators=20, random_state=0),
    ),
    Row(
        "GradientBoostingClassifier(exponential)",
        cancer,
        lambda: GradientBoostingClassifier(loss="exponential", **TREES),
    ),
    Row("GradientBoostingRegressor", diabetes, lambda: GradientBoostingRegressor(**TREES)),
    Row("HistGradientBoostingClassifier", cancer, lambda: HistGradientBoostingClassifier(**HIST)),
    Row(
        "HistGradientBoostingClassifier, missing values",
        gaps,
        lambda: HistGradientBoostingClassifier(**HIST),
    ),
    Row(
        "HistGradientBoostingClassifier, categories",
        kinds,
        lambda: HistGradientBoostingClassifier(**HIST),
    ),
    Row("HistGradientBoostingRegressor", diabetes, lambda: HistGradientBoostingRegressor(**HIST)),
    Row(
        "HistGradientBoostingRegressor(poisson)",
        diabetes,
        lambda: HistGradientBoostingRegressor(loss="poisson", **HIST),
    ),
    Row("LGBMClassifier", cancer, lambda: LGBMClassifier(**LGBM)),
    Row("LGBMClassifier, ten classes", digits, lambda: LGBMClassifier(n_estimators=20, **LGBM)),
    Row("LGBMClassifier, missing values", gaps, lambda: LGBMClassifier(**LGBM)),
    Row("LGBMClassifier, categories", kinds, lambda: LGBMClassifier(**LGBM)),
    Row("LGBMRegressor", diabetes, lambda: LGBMRegressor(**LGBM)),
    Row("XGBClassifier", cancer, lambda: XGBClassifier(random_state=0)),
    Row("XGBClassifier, ten classes", digits, lambda: XGBClassifier(n_estimators=20)),
    Row("XGBClassifier, missing values", gaps, lambda: XGBClassifier(random_state=0)),
    Row("XGBClassifier, categories", kinds, lambda: XGBClassifier(enable_categorical=True)),
    Row("XGBRegressor", diabetes, lambda: XGBRegressor(random_state=0)),
    Row("XGBRFRegressor", diabetes, lambda: XGBRFRegressor(random_state=0)),
    Row(
        "ColumnTransformer(imputer, scaler; one-hot), LogisticRegression",
        mixed,
        lambda: prepared(LogisticRegression(**LOGISTIC), one_hot()),
    ),
    Row(
        "ColumnTransformer(imputer, scaler; seldom one-hot), LogisticRegression",
        mixed,
        lambda: prepared(
            LogisticRegression(**LOGISTIC),
            one_hot(handle_unknown="infrequent_if_exist", min_frequency=50),
        ),
    ),
    Row(
        "ColumnTransformer(imputer with flags; imputer, one-hot), LinearSVC",
        mixed,
        lambda: prepared(
            LinearSVC(),
            make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot(drop="first")),
            make_pipeline(SimpleImputer(add_indicator=True), MinMaxScaler()),
        ),
    ),
    Row(
        "ColumnTransformer(imputer, scaler; one-hot), RandomForestClassifier",
        mixed,
        lambda: prepared(RandomForestClassifier(**TREES), one_hot()),
    ),
    Row(
        "ColumnTransformer(imputer, scaler; ordinal), GradientBoostingClassifier",
        mixed,
        lambda: prepared(
            GradientBoostingClassifier(**TREES),
            OrdinalEncoder(
                handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
            ),
        ),
    ),
    Row(
        "ColumnTransformer(imputer, scaler; target), HistGradientBoostingClassifier",
        mixed,
        lambda: prepared(HistGradientBoostingClassifier(**HIST), TargetEncoder()),
    ),
    Row(
        "ColumnTransformer(imputer, scaler; one-hot), LGBMClassifier",
        mixed,
        lambda: prepared(LGBMClassifier(**LGBM), one_hot(sparse_output=False)),
    ),
    Row("PoissonRegressor", diabetes, PoissonRegressor, "onnxruntime"),
    Row(
        "StandardScaler, SVC", cancer, lambda: make_pipeline(StandardScaler(), SVC()), "onnxruntime"
    ),
    Row("SVR", diabetes, SVR, "onnxruntime"),
    Row("GaussianNB", cancer, GaussianNB, "onnxruntime"),
    Row(
        "StandardScaler, MLPClassifier",
        cancer,
        lambda: make_pipeline(StandardScaler(), MLPClassifier(max_iter=100, random_state=0)),
        "onnxruntime",
    ),
    Row("MLPRegressor", diabetes, lambda: MLPRegressor(max_iter=50, random_state=0), "onnxruntime"),
    Row(
        "StandardScaler, PCA, LogisticRegression",
        cancer,
        lambda: make_pipeline(StandardScaler(), PCA(8), LogisticRegression()),
        "onnxruntime",
    ),
    Row(
        "PolynomialFeatures, Ridge",
        diabetes,
        lambda: make_pipeline(PolynomialFeatures(), Ridge()),
        "onnxruntime",
    ),
    Row("AdaBoostClassifier", cancer, lambda: AdaBoostClassifier(random_state=0), "onnxruntime"),
    Row("BaggingClassifier", cancer, lambda: BaggingClassifier(random_state=0), "onnxruntime"),
    Row(
        "VotingClassifier(GaussianNB, LogisticRegression)",
        cancer,
        lambda: VotingClassifier(
            [("nb", GaussianNB()), ("lr", make_pipeline(StandardScaler(), LogisticRegression()))],
            voting="soft",
        ),
        "onnxruntime",
    ),
    Row(
        "StackingClassifier(trees, LogisticRegression)",
        cancer,
        lambda: StackingClassifier(
            [("trees", RandomForestClassifier(n_estimators=10, random_state=0))],
            LogisticRegression(),
        ),
        "onnxruntime",
    ),
    Row("KMeans", digits, lambda: KMeans(10, n_init=1, random_state=0), "onnxruntime"),
    Row(
        "IsolationForest",
        cancer,
        lambda: IsolationForest(n_estimators=20, random_state=0),
        "onnxruntime",
    ),
    Row(
        "TfidfVectorizer, LogisticRegression",
        texts,
        lambda: make_pipeline(TfidfVectorizer(token_pattern="[a-z]+"), LogisticRegression()),
        "onnxruntime",
    ),
    Row("KNeighborsClassifier", cancer, KNeighborsClassifier, "onnxruntime"),
    Row("GaussianProcessRegressor", diabetes, GaussianProcessRegressor, "onnxruntime"),
    Row(
        "CalibratedClassifierCV(LogisticRegression)",
        cancer,
        lambda: CalibratedClassifierCV(make_pipeline(StandardScaler(), LogisticRegression()), cv=3),
        "python",
    ),
    Row(
        "FunctionTransformer(numpy.cbrt), Ridge",
        diabetes,
        lambda: make_pipeline(FunctionTransformer(np.cbrt), Ridge()),
        "python",
    ),
]
