"""penstock register: the one command that opens a user's Python file."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

ROWS = pd.DataFrame(
    {"age": np.arange(40) % 23, "income": np.arange(40) * 1.5, "churned": [0, 1] * 20}
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    X = ROWS.drop(columns="churned")
    joblib.dump(LogisticRegression().fit(X, ROWS["churned"]), tmp_path / "model.joblib")
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path


def penstock(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def register(
    model: str = "model.joblib", examples: str = "rows.csv", target: str = "churned", *more: str
) -> subprocess.CompletedProcess[str]:
    flags = ["--name", "churn", "--examples", examples]
    return penstock("register", model, *flags, *(["--target", target] if target else []), *more)


def test_a_joblib_file_becomes_a_version(files: Path) -> None:
    done = register()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("churn@1  native, checked on 40 rows and ")
    assert (
        json.loads(register("model.joblib", "rows.csv", "churned", "--json").stdout)["version"] == 2
    )


def encoded(X: pd.DataFrame, y: pd.Series, columns: list[str]) -> Pipeline:
    encoder = OneHotEncoder(handle_unknown="ignore")
    transformer = ColumnTransformer([("text", encoder, columns)], remainder="passthrough")
    return make_pipeline(transformer, LogisticRegression()).fit(X, y)


def test_texts_that_look_like_numbers_or_nothing_stay_texts(files: Path) -> None:
    rows = ROWS.assign(zip=["00123", "10115"] * 20, region=["NA", "EU", "nan", "US"] * 10)
    rows.to_csv(files / "rows.csv", index=False)
    X = rows.drop(columns="churned")
    joblib.dump(encoded(X, rows["churned"], ["zip", "region"]), files / "model.joblib")
    done = register("model.joblib", "rows.csv", "churned", "--json")
    assert done.returncode == 0, done.stderr
    examples = json.loads(penstock("models", "show", "churn", "--json").stdout)
    folder = Path(examples["path"])
    features = json.loads((folder / "examples.json").read_text())["features"]
    assert features[0]["zip"] == "00123"
    assert features[0]["region"] == "NA"


def test_a_column_is_text_when_it_is_named(files: Path) -> None:
    rows = ROWS.assign(zip=["00123", "10115"] * 20)
    rows.to_csv(files / "rows.csv", index=False)
    transformer = ColumnTransformer([("text", CountVectorizer(), "zip")])
    model = make_pipeline(transformer, LogisticRegression())
    joblib.dump(model.fit(rows.drop(columns="churned"), rows["churned"]), files / "model.joblib")
    told = register().stderr
    assert "columns that are text though they look like numbers are named with --text" in told
    assert (
        "no column 'zp', which --text names"
        in register("model.joblib", "rows.csv", "churned", "--text", "zp").stderr
    )
    done = register("model.joblib", "rows.csv", "churned", "--text", "zip")
    assert done.returncode == 0, done.stderr


class Bomb:
    """An object whose pickle raises when it is opened."""

    def __reduce__(self):
        return (exec, ("raise ValueError('boom')",))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"model": "nowhere.joblib"}, "no file 'nowhere.joblib'"),
        ({"model": "rows.csv"}, "'rows.csv' cannot be opened, it raised"),
        ({"model": "bomb.joblib"}, "'bomb.joblib' cannot be opened, it raised ValueError: boom"),
        ({"model": "dict.joblib"}, "type dict is not a model"),
        ({"examples": "nowhere.csv"}, "no file 'nowhere.csv'"),
        ({"target": "churnd"}, "no column 'churnd', which --target names. Did you mean 'churned'?"),
        ({"target": ""}, "column 'churned', which the model was not fitted on"),
        ({"examples": "narrow.csv"}, "no column 'income'"),
        ({"examples": "words.csv"}, "cannot predict the first rows of X"),
        ({"examples": "empty.csv"}, "'empty.csv' cannot be read as CSV"),
    ],
    ids=lambda value: "-".join(value.values()) or "no target" if isinstance(value, dict) else "",
)
def test_what_goes_wrong_is_one_sentence(files: Path, arguments: dict, told: str) -> None:
    joblib.dump(Bomb(), files / "bomb.joblib")
    joblib.dump({"a": 1}, files / "dict.joblib")
    ROWS.drop(columns="income").to_csv(files / "narrow.csv", index=False)
    ROWS.assign(age="three").to_csv(files / "words.csv", index=False)
    (files / "empty.csv").write_text("")
    done = register(**arguments)
    assert done.returncode != 0
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("penstock: ")
    assert told in lines[0]
    assert json.loads(penstock("models", "list", "--json").stdout) in ([], {"models": []})


INTERRUPTED = """
import os, signal
from sklearn.linear_model import LinearRegression


class Model(LinearRegression):
    def predict(self, X):
        os.kill(os.getpid(), signal.SIGINT)
        return super().predict(X)
"""


def test_ctrl_c_does_not_claim_to_know_what_was_registered(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (files / "interrupted.py").write_text(INTERRUPTED)
    monkeypatch.syspath_prepend(str(files))
    monkeypatch.setenv("PYTHONPATH", str(files))
    kind = importlib.import_module("interrupted").Model
    joblib.dump(kind().fit(ROWS.drop(columns="churned"), ROWS["churned"]), files / "m.joblib")
    done = register("m.joblib")
    assert done.returncode == 130
    told = "penstock: interrupted; 'penstock models list' shows whether it was registered\n"
    assert done.stderr == told
