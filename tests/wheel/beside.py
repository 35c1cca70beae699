"""Predict and register beside another large library, which is imported first, by its name."""

from __future__ import annotations

import importlib
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

other = importlib.import_module(sys.argv[1])

import penstock  # noqa: E402

X = np.random.default_rng(0).normal(size=(200, 4))
y = (X[:, 0] > 0).astype(int)
for model in (LogisticRegression().fit(X, y), SVC().fit(X, y)):
    version = penstock.register(model, X, name=type(model).__name__)
    assert np.array_equal(version.predict(X), model.predict(X))
    print(version.engine)
rows = penstock.read("data.csv").to_pandas()
assert rows.shape == (2, 2)
print(other.__name__)
