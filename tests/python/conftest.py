"""What the tests of the Python package share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits

import penstock


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a registry of its own, and no settings of whoever runs it."""
    for name in [name for name in os.environ if name.startswith("PENSTOCK_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("PENSTOCK_HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's 1,797 handwritten digits."""
    return load_digits(return_X_y=True)


def _blurred_digits(seed: int, rows: int = 10_000) -> tuple[np.ndarray, np.ndarray]:
    """Return that many digits, drawn with replacement and blurred: no two rows are alike."""
    X, y = load_digits(return_X_y=True)
    random = np.random.default_rng(seed)
    chosen = random.integers(0, len(X), rows)
    return X[chosen] + random.normal(0, 0.5, (rows, X.shape[1])), y[chosen]


@pytest.fixture(scope="session")
def customers() -> pd.DataFrame:
    """Return a table as people have them: numbers, text, categories, booleans, gaps."""
    random = np.random.default_rng(7)
    n = 600
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 90, n),
            "monthly income": random.normal(3000, 900, n),
            "score": random.normal(size=n).astype(np.float32),
            "region": random.choice(["north", "south", "é ü"], n),
            "plan": pd.Categorical(random.choice(["basic", "pro"], n)),
            "is_new": random.random(n) < 0.4,
        }
    )
    frame.loc[::9, "monthly income"] = np.nan
    return frame


def _check_same(
    version: penstock.ModelVersion, model: BaseEstimator, X: object, *, exact: bool = True
) -> None:
    """Hold a version's answers against the model's: values, dtype, shape."""
    expected = model.predict(X)
    predicted = version.predict(X)
    assert predicted.dtype == expected.dtype
    assert predicted.shape == expected.shape
    form = next(form for form in version.parity.report["candidates"] if form["passed"])
    is_single = form["precision"] == "float32"
    near = {"rtol": 1e-5, "atol": 1e-6} if is_single else {"rtol": 1e-9, "atol": 1e-12}
    if exact or expected.dtype.kind not in "f":
        np.testing.assert_array_equal(predicted, expected)
    else:
        np.testing.assert_allclose(predicted, expected, **near)
    if not version.signature["has_probabilities"]:
        return
    probabilities = model.predict_proba(X)
    native = version.predict_proba(X)
    assert native.dtype == probabilities.dtype
    assert native.min() >= 0
    assert native.max() <= 1
    if exact:
        np.testing.assert_array_equal(native, probabilities)
    else:
        np.testing.assert_allclose(native, probabilities, **near)


@pytest.fixture(scope="session")
def blurred_digits() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Return a function of a seed and a number of rows."""
    return _blurred_digits


@pytest.fixture(scope="session")
def check_same() -> Callable[..., None]:
    """Return a function that holds a version's answers against the model's."""
    return _check_same
