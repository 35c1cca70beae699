"""The examples in docstrings do what they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import sqlite3
from contextlib import closing

import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import penstock

MODULES = ["penstock", *(m.name for m in pkgutil.walk_packages(penstock.__path__, "penstock."))]


def examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [importlib.import_module(name) for name in MODULES if not name.endswith("__main__")]
    found = [test for module in modules for test in finder.find(module) if test.examples]
    return sorted(found)


@pytest.fixture
def names() -> dict[str, object]:
    """Return what the examples speak of."""
    X = pd.DataFrame({"age": [20, 60, 30, 70], "income": [1.0, 2.0, 3.0, 4.0]})
    y = pd.Series(["no", "yes", "no", "yes"], dtype=object)
    clf = DecisionTreeClassifier(random_state=0).fit(X, y)
    penstock.register(clf, X, y, name="churn")
    with closing(sqlite3.connect("digits.db")) as connection:
        load_digits(as_frame=True).frame.to_sql("digits", connection, index=False)
        connection.commit()
    frame = pd.concat([X.assign(churned=y)] * 25, ignore_index=True)
    bought = {"pd": pd, "LogisticRegression": LogisticRegression, "frame": frame}
    return {"penstock": penstock, "clf": clf, "X": X, "y": y, **bought}


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_an_example_does_what_it_shows(example: doctest.DocTest, names: dict[str, object]) -> None:
    example.globs = names
    told: list[str] = []
    outcome = doctest.DocTestRunner().run(example, out=told.append)
    assert outcome.failed == 0, "".join(told)


def test_there_are_examples() -> None:
    assert {test.name for test in examples()} >= {
        "penstock._register.register",
        "penstock._version.load",
        "penstock._version.models",
        "penstock._version.ModelVersion.serve",
        "penstock._table.read",
    }


def test_every_public_name_is_told_what_it_is_for() -> None:
    for name in penstock.__all__:
        thing = getattr(penstock, name)
        if not name.startswith("__") and not name.endswith("Error"):
            assert thing.__doc__, name
